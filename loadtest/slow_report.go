package loadtest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SlowReport is what [Slow] measured.
type SlowReport struct {
	Workload string  `json:"workload"`  // "broadcast" or "echo"
	Share    float64 `json:"share"`     // of the connections that read slowly
	ReadRate float64 `json:"read_rate"` // bytes a second each; 0 = never
	Rate     float64 `json:"rate"`      // messages a second
	Size     int     `json:"size"`      // bytes of a message

	Baseline SlowPhase `json:"baseline"` // all read as they can
	Loaded   SlowPhase `json:"loaded"`   // some do not; figures are of the others
	// FastP99Ratio is the fast ones' p99 in Loaded over that in Baseline; 0 without messages.
	FastP99Ratio float64 `json:"fast_p99_ratio"`

	ReadPerSecond float64   `json:"read_per_second"` // bytes that a slow one did read, on average
	Slow          int       `json:"slow"`            // connections
	Disconnected  int       `json:"disconnected"`    // of these, by the server
	Cuts          []SlowCut `json:"cuts"`            // how
	// Owed is how many messages the slow ones were to get while they read slowly, all together. Missed is how many of
	// them had not come when they had read on for some seconds.
	Owed   uint64 `json:"owed"`
	Missed uint64 `json:"missed"`
}

// SlowCut is how the server disconnected slow readers, by the causes of [Failure].
type SlowCut struct {
	Cause string `json:"cause"` // "closed-by-server-1008", "lost-reset" …
	Count int    `json:"count"`
}

// SlowPhase is one of the two phases. Messages are deliveries of a broadcast, and
// round trips of an echo.
type SlowPhase struct {
	Fast      int           `json:"fast"` // connections that it is about
	Measured  time.Duration `json:"measured_ns"`
	Messages  uint64        `json:"messages"`
	PerSecond float64       `json:"per_second"`
	Lost      uint64        `json:"lost"` // never came
	Latency   Latency       `json:"latency"`
	ServerCPU *CPU          `json:"server_cpu,omitempty"`
	ClientCPU CPU           `json:"client_cpu"`
	ServerRSS int64         `json:"server_rss"` // bytes at its end; -1 = unknown
}

// cut counts n slow readers that were disconnected for one cause.
func (r *SlowReport) cut(cause string, n int) {
	r.Disconnected += n
	i := slices.IndexFunc(r.Cuts, func(c SlowCut) bool { return c.Cause == cause })
	if i < 0 {
		i, r.Cuts = len(r.Cuts), append(r.Cuts, SlowCut{Cause: cause})
	}
	r.Cuts[i].Count += n
}

// compare says what the two phases are beside each other, and orders the cuts.
func (r *SlowReport) compare() {
	slices.SortFunc(r.Cuts, func(a, b SlowCut) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Cause, b.Cause)) })
	if base := r.Baseline.Latency.P99; base > 0 {
		r.FastP99Ratio = float64(r.Loaded.Latency.P99) / float64(base)
	}
}

// merge adds the report of another part, which had its phases at the same times.
func (r *SlowReport) merge(o *SlowReport) error {
	if slow := r.Slow + o.Slow; slow > 0 {
		r.ReadPerSecond = (r.ReadPerSecond*float64(r.Slow) + o.ReadPerSecond*float64(o.Slow)) / float64(slow)
		r.Slow = slow
	}
	r.Owed += o.Owed
	r.Missed += o.Missed
	for _, c := range o.Cuts {
		r.cut(c.Cause, c.Count)
	}
	err := errors.Join(r.Baseline.merge(&o.Baseline), r.Loaded.merge(&o.Loaded))
	r.compare()
	return err
}

func (p *SlowPhase) merge(o *SlowPhase) error {
	p.Fast += o.Fast
	p.Measured = max(p.Measured, o.Measured)
	p.Messages += o.Messages
	p.PerSecond += o.PerSecond
	p.Lost += o.Lost
	p.ServerRSS = max(p.ServerRSS, o.ServerRSS)
	mergeCPU(&p.ClientCPU, &o.ClientCPU, &p.ServerCPU, o.ServerCPU, p.Messages)
	return p.Latency.merge(&o.Latency)
}

func (r *SlowReport) writeText(line liner) {
	reads := "never read"
	if r.ReadRate > 0 {
		reads = "read " + rate(r.ReadRate) + " B a second each"
	}
	line("slow", "%s of %s, which %s; %s of %s B, %s a second", count(r.Slow), count(r.Slow+r.Loaded.Fast), reads, r.Workload, count(r.Size), rate(r.Rate))
	for _, p := range []struct {
		name string
		*SlowPhase
	}{{"all fast", &r.Baseline}, {"some slow", &r.Loaded}} {
		line(p.name, "%s", p.Latency.text())
		line("", "  %s a second to %s fast ones, %s lost, server RSS %s", rate(p.PerSecond), count(p.Fast), count(p.Lost), orUnknown(p.ServerRSS, size))
	}
	line("fast p99", "%s times what it was without slow ones", trimmed(r.FastP99Ratio))
	cuts := make([]string, len(r.Cuts))
	for i, c := range r.Cuts {
		cuts[i] = fmt.Sprintf("%s × %s", count(c.Count), c.Cause)
	}
	how := ""
	if len(cuts) > 0 {
		how = ": " + strings.Join(cuts, ", ")
	}
	line("slow ones", "each read %s B a second; %s of %s were disconnected%s", rate(r.ReadPerSecond), count(r.Disconnected), count(r.Slow), how)
	line("", "  they missed %s of %s messages", count(r.Missed), count(r.Owed))
}

func (r *SlowReport) figures(add func(string, float64)) {
	add("messages", float64(r.Loaded.Messages))
	add("rate", r.Loaded.PerSecond)
	if due := r.Loaded.Messages + r.Loaded.Lost; due > 0 {
		add("loss", float64(r.Loaded.Lost)/float64(due))
	}
	r.Loaded.Latency.figures(add)
	if b := &r.Baseline.Latency; b.Count > 0 {
		add("baseline-p50", float64(b.P50))
		add("baseline-p99", float64(b.P99))
	}
	if r.FastP99Ratio > 0 {
		add("fast-p99-ratio", r.FastP99Ratio)
	}
	add("slow-disconnected", float64(r.Disconnected))
	add("slow-missed", float64(r.Missed))
	if s := r.Loaded.ServerCPU; s != nil && r.Loaded.Messages > 0 {
		add("server-cpu", float64(s.PerMessage))
		add("server-cores", s.Cores)
	}
}
