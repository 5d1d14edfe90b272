package loadtest

import "strings"

// FindReport is what [Find] found. A load is messages a second, or connections.
type FindReport struct {
	Of        string   `json:"of"`        // the scenario
	Objective []string `json:"objective"` // all had to hold
	From      float64  `json:"from"`
	To        float64  `json:"to"`
	Precision float64  `json:"precision"`

	Found float64 `json:"found"` // the highest load that held; 0 = not even From
	// Ended is why no higher load is tried: "objective", "load" (it was not even reached), "failures",
	// "client-bound" (the harness or its machine was the limit), "limit" (To held) or "interrupted".
	Ended string     `json:"ended"`
	Why   string     `json:"why"` // the same in words
	Steps []FindStep `json:"steps"`
}

// FindStep is one load that was tried.
type FindStep struct {
	Load  float64 `json:"load"`
	Held  bool    `json:"held"`
	Ended string  `json:"ended,omitempty"` // as in FindReport
	Why   string  `json:"why,omitempty"`

	PerSecond   float64 `json:"per_second"` // messages, deliveries, or connections opened
	Latency     Latency `json:"latency"`    // of messages, or of the handshakes
	Failed      int     `json:"failed"`     // handshakes
	Lost        int     `json:"lost"`       // connections
	ServerCores float64 `json:"server_cores"`
	ClientCores float64 `json:"client_cores"`

	clientBound bool
}

// take copies what the table shows out of the step's report.
func (s *FindStep) take(r *Report) {
	var server *CPU
	switch {
	case r.Echo != nil:
		e := r.Echo
		s.PerSecond, s.Latency, server, s.ClientCores, s.clientBound = e.PerSecond, e.Latency, e.ServerCPU, e.ClientCPU.Cores, e.ClientBound
	case r.Broadcast != nil:
		b := r.Broadcast
		s.PerSecond, s.Latency, server, s.ClientCores, s.clientBound = b.PerSecond, b.Latency, b.ServerCPU, b.ClientCPU.Cores, b.ClientBound
	default:
		s.PerSecond, s.Latency = r.Connections.PerSecond, r.Connections.Handshake
	}
	s.Latency.Curve = nil
	if server != nil {
		s.ServerCores = server.Cores
	}
}

func (*FindReport) merge(*FindReport) error {
	return invalid("steps are decided by one process")
}

func (r *FindReport) unit() string {
	if r.Of == "idle" {
		return "connections"
	}
	return "messages a second"
}

func (r *FindReport) writeText(line liner) {
	line("find", "the highest number of %s (%s) with %s, from %s to %s", r.unit(), r.Of, strings.Join(r.Objective, " and "), rate(r.From), rate(r.To))
	line("", "%12s %12s %10s %10s %10s %7s %7s", "load", "a second", "p50", "p99", "max", "server", "client")
	for _, s := range r.Steps {
		held := "held"
		if !s.Held {
			held = s.Ended + ": " + s.Why
		}
		line("", "%12s %12s %10s %10s %10s %7.2f %7.2f  %s", rate(s.Load), rate(s.PerSecond),
			span(s.Latency.P50), span(s.Latency.P99), span(s.Latency.Max), s.ServerCores, s.ClientCores, held)
	}
	if r.Found == 0 {
		line("found", "nothing: not even %s held (%s)", rate(r.From), r.Ended)
		return
	}
	line("found", "%s %s, to %s %%; what ended it: %s: %s", rate(r.Found), r.unit(), trimmed(r.Precision*100), r.Ended, r.Why)
}

func (r *FindReport) figures(add func(string, float64)) { add("found", r.Found) }
