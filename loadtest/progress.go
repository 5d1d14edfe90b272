package loadtest

import "time"

// Progress is where a run stands.
type Progress struct {
	// Stage is "connect", "verify", "hold", "warm-up", "measure", "drain", "close", a scenario's own, or "wait" while
	// other parts of the run are awaited.
	Stage    string        `json:"stage"`
	Elapsed  time.Duration `json:"elapsed_ns"`
	Of       time.Duration `json:"of_ns,omitempty"` // how long the stage will take; 0 = not known
	Opened   int           `json:"opened"`          // handshakes done
	Open     int           `json:"open"`            // of these, still standing
	Failed   int           `json:"failed"`          // handshakes failed
	Lost     int           `json:"lost"`            // of those opened, ended though we did not want it
	Messages uint64        `json:"messages"`        // came, ever
	// Causes counts connections that failed or ended, by [Failure].Cause.
	Causes map[string]int `json:"causes,omitempty"`
	// Last is the last whole sample; nil before the first.
	Last    *Sample `json:"last,omitempty"`
	Members int     `json:"members,omitempty"` // processes it is of; 0 = this one alone
}

func (d *driver) progress(stage string, elapsed, of time.Duration) Progress {
	p := Progress{Stage: stage, Elapsed: elapsed, Of: of}
	d.each(func(l *loop) {
		p.Opened += l.opened
		p.Open += l.open
		p.Failed += l.failed
		p.Lost += l.opened - l.open - l.left
		p.Messages += l.messages
		for _, f := range l.failures.m {
			if p.Causes == nil {
				p.Causes = make(map[string]int)
			}
			p.Causes[f.Cause] += f.Count
		}
	})
	if n := len(d.sampler.samples); n > 0 {
		last := d.sampler.samples[n-1]
		p.Last = &last
	}
	return p
}

// MergeProgress is where the parts of a run stand together: at the stage of the one
// that is furthest behind, that is the one whose stage has gone on for the shortest time.
func MergeProgress(parts []Progress) Progress {
	if len(parts) == 0 {
		return Progress{}
	}
	all := parts[0]
	all.Causes, all.Last, all.Members = nil, nil, len(parts)
	all.Opened, all.Open, all.Failed, all.Lost, all.Messages = 0, 0, 0, 0, 0
	for i := range parts {
		p := &parts[i]
		if all.Stage == "wait" && p.Stage != "wait" {
			all.Stage, all.Elapsed, all.Of = p.Stage, p.Elapsed, p.Of
		}
		all.Opened += p.Opened
		all.Open += p.Open
		all.Failed += p.Failed
		all.Lost += p.Lost
		all.Messages += p.Messages
		for cause, n := range p.Causes {
			if all.Causes == nil {
				all.Causes = make(map[string]int)
			}
			all.Causes[cause] += n
		}
		if p.Last != nil {
			all.Last = beside(all.Last, *p.Last)
		}
	}
	return all
}

// beside is the samples of two parts, of about the same time, as one. Rates are
// brought to the length of the first.
func beside(a *Sample, b Sample) *Sample {
	if a == nil {
		return &b
	}
	share := 1.0
	if b.Length > 0 {
		share = a.Length.Seconds() / b.Length.Seconds()
	}
	s := *a
	s.Open += b.Open
	s.Opened += int(float64(b.Opened) * share)
	s.Failed += int(float64(b.Failed) * share)
	s.Lost += int(float64(b.Lost) * share)
	s.Messages += uint64(float64(b.Messages) * share)
	s.P50, s.P99, s.Max, s.Lag = max(s.P50, b.P50), max(s.P99, b.P99), max(s.Max, b.Max), max(s.Lag, b.Lag)
	s.ServerCores, s.ServerRSS = max(s.ServerCores, b.ServerCores), max(s.ServerRSS, b.ServerRSS)
	s.ClientCores += b.ClientCores
	if s.Server == nil {
		s.Server = b.Server
	}
	return &s
}
