package loadtest

import "time"

// Figure is one number of a report under a name that stays the same between
// versions: what expectations and comparisons are written in.
type Figure struct {
	Name  string  // "p99", "rate", "loss" …
	Unit  Unit    // what Value counts
	Value float64 // nanoseconds, bytes, a share from 0 to 1, or a plain number
	// Good is how it should go: 1 up, -1 down. 0 is a circumstance and not a result.
	Good int
}

// Unit is what a figure counts.
type Unit uint8

// The units of figures.
const (
	Number Unit = iota
	Duration
	Share
	Bytes
)

// figureSpec is how a figure is counted and what is good for it.
type figureSpec struct {
	unit Unit
	good int
	gate bool // steady enough that a change between two runs means something
}

// figureSpecs are all figures there are.
var figureSpecs = map[string]figureSpec{
	"opened": {Number, 1, true}, "failed": {Number, -1, true}, "lost": {Number, -1, true},
	"errors": {Share, -1, true}, "connect-rate": {Number, 1, true},
	"handshake-p50": {Duration, -1, true}, "handshake-p99": {Duration, -1, false}, "handshake-max": {Duration, -1, false},
	"harness-lag-p99": {Duration, 0, false},
	"messages":        {Number, 0, false}, "rate": {Number, 1, true}, "loss": {Share, -1, true},
	"unanswered": {Number, -1, false}, "late": {Number, -1, false},
	"mean": {Duration, -1, false}, "p50": {Duration, -1, true}, "p90": {Duration, -1, false}, "p99": {Duration, -1, true},
	"p99.9": {Duration, -1, false}, "max": {Duration, -1, false}, "uncorrected-p50": {Duration, 0, false}, "uncorrected-p99": {Duration, 0, false},
	"server-cpu": {Duration, -1, true}, "server-cores": {Number, 0, false}, "client-cpu": {Duration, 0, false}, "client-cores": {Number, 0, false},
	"first-p50": {Duration, -1, true}, "median-p50": {Duration, -1, true}, "last-p50": {Duration, -1, true}, "last-p99": {Duration, -1, true},
	"duplicates": {Number, -1, true}, "reordered": {Number, -1, true}, "incomplete": {Number, -1, true},
	"churn-rate": {Number, 1, true}, "churn-failed": {Number, -1, true}, "churn-lost": {Number, -1, true},
	"redial-p50": {Duration, -1, true}, "redial-p99": {Duration, -1, true}, "redial-max": {Duration, -1, false},
	"close-p50": {Duration, -1, true}, "close-p99": {Duration, -1, true}, "close-max": {Duration, -1, false},
	"unclean": {Number, -1, true}, "leaked-descriptors": {Number, -1, true}, "grown-bytes": {Bytes, -1, false}, "kept-bytes": {Bytes, -1, false},
	"cut": {Number, 0, false}, "unreturned": {Number, -1, true}, "attempts": {Number, -1, false}, "attempt-rate": {Number, 0, false},
	"back-p50": {Duration, -1, true}, "back-p90": {Duration, -1, false}, "back-p99": {Duration, -1, true}, "back-all": {Duration, -1, false},
	"recovered": {Number, 0, false}, "unrecovered": {Number, -1, true},
	"refused": {Number, -1, true}, "dropped": {Number, -1, true}, "published": {Number, 0, false}, "unpublished": {Number, -1, true}, "publish-errors": {Number, -1, true},
	"publish-p50": {Duration, -1, true}, "publish-p99": {Duration, -1, false}, "server-cpu-publish": {Duration, -1, true},
	"found":          {Number, 1, true},
	"fast-p99-ratio": {Number, -1, true}, "baseline-p50": {Duration, 0, false}, "baseline-p99": {Duration, 0, false},
	"slow-disconnected": {Number, 0, false}, "slow-missed": {Number, 0, false},
	"silent": {Number, -1, true}, "user-bytes": {Bytes, -1, true}, "kernel-bytes": {Bytes, -1, false},
}

// Figures returns what r has, in a fixed order. A figure that was not measured, such
// as a latency without messages, is left out.
func (r *Report) Figures() []Figure {
	var all []Figure
	add := func(name string, value float64) {
		spec := figureSpecs[name]
		all = append(all, Figure{Name: name, Unit: spec.unit, Value: value, Good: spec.good})
	}
	c := &r.Connections
	add("opened", float64(c.Opened))
	add("failed", float64(c.Failed))
	if r.Push != nil || r.Storm != nil && r.Storm.Events != nil {
		add("dropped", float64(c.Lost)) // what is lost there is deliveries
	} else {
		add("lost", float64(c.Lost))
	}
	if c.Wanted > 0 {
		add("errors", float64(c.Failed+c.Lost)/float64(c.Wanted+c.Redialled))
	}
	if c.Opened > 0 {
		add("connect-rate", c.PerSecond)
		add("handshake-p50", float64(c.Handshake.P50))
		add("handshake-p99", float64(c.Handshake.P99))
		add("handshake-max", float64(c.Handshake.Max))
	}
	if r.Echo != nil {
		r.Echo.figures(add)
	}
	if r.Broadcast != nil {
		r.Broadcast.figures(add)
	}
	if r.Find != nil {
		r.Find.figures(add)
	}
	if r.Slow != nil {
		r.Slow.figures(add)
	}
	if r.Churn != nil {
		r.Churn.figures(add)
	}
	if r.Push != nil {
		r.Push.figures(add)
	}
	if r.Storm != nil {
		r.Storm.figures(add)
	}
	if r.Idle != nil {
		r.Idle.figures(add)
	}
	if r.Harness != nil && r.Harness.Lag.Count > 0 {
		add("harness-lag-p99", float64(r.Harness.Lag.P99))
	}
	return all
}

func (e *EchoReport) figures(add func(string, float64)) {
	add("messages", float64(e.Messages))
	add("rate", e.PerSecond)
	if due := e.Messages + e.Unanswered; due > 0 {
		add("loss", float64(e.Unanswered)/float64(due))
	}
	add("unanswered", float64(e.Unanswered))
	if e.Rate > 0 {
		add("late", float64(e.Late))
	}
	e.Latency.figures(add)
	if u := e.Uncorrected; u != nil && u.Count > 0 {
		add("uncorrected-p50", float64(u.P50))
		add("uncorrected-p99", float64(u.P99))
	}
	if s := e.ServerCPU; s != nil && e.Messages > 0 {
		add("server-cpu", float64(s.PerMessage))
		add("server-cores", s.Cores)
	}
	if e.Messages > 0 {
		add("client-cpu", float64(e.ClientCPU.PerMessage))
	}
	add("client-cores", e.ClientCPU.Cores)
}

func (l *Latency) figures(add func(string, float64)) {
	if l.Count == 0 {
		return
	}
	for _, f := range []struct {
		name string
		at   time.Duration
	}{{"mean", l.Mean}, {"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p99.9", l.P999}, {"max", l.Max}} {
		add(f.name, float64(f.at))
	}
}

func (b *BroadcastReport) figures(add func(string, float64)) {
	add("messages", float64(b.Messages))
	add("rate", b.PerSecond)
	if due := b.Deliveries + b.Lost; due > 0 {
		add("loss", float64(b.Lost)/float64(due))
	}
	add("duplicates", float64(b.Duplicates))
	add("reordered", float64(b.Reordered))
	add("incomplete", float64(b.Incomplete))
	add("late", float64(b.Late))
	b.Latency.figures(add)
	if b.First.Count > 0 {
		add("first-p50", float64(b.First.P50))
		add("median-p50", float64(b.Median.P50))
	}
	if b.Last.Count > 0 {
		add("last-p50", float64(b.Last.P50))
		add("last-p99", float64(b.Last.P99))
	}
	if s := b.ServerCPU; s != nil && b.Deliveries > 0 {
		add("server-cpu", float64(s.PerMessage))
		add("server-cores", s.Cores)
	}
	add("client-cores", b.ClientCPU.Cores)
}

func (i *IdleReport) figures(add func(string, float64)) {
	if i.Verified != nil {
		add("silent", float64(i.Verified.Silent))
	}
	if i.Memory != nil && i.Memory.User != nil {
		add("user-bytes", i.Memory.User.PerConnection)
	}
	if i.Memory != nil && i.Memory.Kernel != nil {
		add("kernel-bytes", i.Memory.Kernel.PerConnection)
	}
}

// Text writes the value with its unit.
func (f Figure) Text() string {
	switch f.Unit {
	case Duration:
		return span(time.Duration(f.Value))
	case Share:
		return trimmed(f.Value*100) + " %"
	case Bytes:
		return trimmed(f.Value) + " B"
	}
	return trimmed(f.Value)
}
