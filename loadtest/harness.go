package loadtest

import (
	"fmt"
	"strings"
	"time"
)

// Harness is what the load generator itself used and how well it kept time. It
// tells whether the other figures are the server's.
type Harness struct {
	Processes int           `json:"processes"`
	Loops     int           `json:"loops"` // of all processes
	Time      time.Duration `json:"time_ns"`
	System    time.Duration `json:"system_ns"` // of Time, in the kernel
	Cores     float64       `json:"cores"`     // mean over the run; samples have it over time
	// Lag is how much later than asked its loops woke once all handshakes had ended, whatever the reason: a loop that
	// had more to do than it could, or a machine that gave its processor to others. Latencies
	// hold it too.
	Lag Latency `json:"lag"`
	// Bound says that the harness may have been the limit, and Why.
	Bound bool   `json:"bound"`
	Why   string `json:"why,omitempty"`
}

const (
	// beatEvery is how often a loop wakes for nothing but to see how late that is.
	beatEvery = 20 * time.Millisecond
	// maxLag is a p99 of the lag above which latencies are not the server's alone.
	maxLag = 5 * time.Millisecond
)

// lagged notes how late the loop is for what had to be seen by now: the script's time that it asked
// for, and the beat. Both may pass while it waits, and while it handles what came.
func (l *loop) lagged() {
	if l.asked <= l.now {
		l.late(l.now - l.asked)
		l.asked = never
	}
	if l.beat <= l.now {
		l.late(l.now - l.beat)
		l.beat = l.now + int64(beatEvery)
	}
}

func (l *loop) late(by int64) {
	if l.settledAt != 0 {
		l.lag.record(by)
	}
	l.lagMax = max(l.lagMax, by)
}

// ask is when the script or the beat wants the loop, which is told as a lag
// when it comes late. What the script has due already is not.
func (l *loop) ask() int64 {
	l.lagged()
	if l.asked = never; l.due > l.now {
		l.asked = l.due
	}
	return min(l.due, l.beat)
}

// harness sums up what this process did.
func (d *driver) harness() *Harness {
	used := ownCPU()
	h := &Harness{Processes: 1, Loops: len(d.loops), Time: used.total - d.before.total, System: used.system - d.before.system}
	h.Cores = h.Time.Seconds() / max(time.Since(d.plan.base).Seconds(), 1e-9)
	lag := newLatency()
	d.each(func(l *loop) { lag.merge(l.lag) })
	h.Lag = lag.summary()
	h.judge(d.report.Samples)
	return h
}

// judge decides whether the harness was the limit. Its loops' busiest stretch
// counts: a mean over the ramp and the drain would hide it.
func (h *Harness) judge(samples []Sample) {
	var why []string
	busiest := 0.0
	for i := range samples {
		if s := &samples[i]; s.Length >= sampleEvery/2 && s.Stage == "measure" {
			busiest = max(busiest, s.ClientCores)
		}
	}
	if busiest >= busy*float64(h.Loops) {
		why = append(why, fmt.Sprintf("its %d loops used %.2f cores: give it more (--loops; --procs or more agents where the scenario takes them)", h.Loops, busiest))
	}
	if h.Lag.P99 >= maxLag {
		why = append(why, fmt.Sprintf("its loops woke %s late at p99, and latencies hold that too: give it processors of its own", span(h.Lag.P99)))
	}
	h.Bound, h.Why = len(why) > 0, strings.Join(why, "; ")
}

func (h *Harness) merge(o *Harness) error {
	h.Processes += o.Processes
	h.Loops += o.Loops
	h.Time += o.Time
	h.System += o.System
	h.Cores += o.Cores
	return h.Lag.merge(&o.Lag)
}

func (h *Harness) writeText(line liner) {
	of := fmt.Sprintf("%d loop", h.Loops)
	if h.Loops > 1 {
		of += "s"
	}
	if h.Processes > 1 {
		of += fmt.Sprintf(" in %d processes", h.Processes)
	}
	woke := ""
	if h.Lag.Count > 0 {
		woke = fmt.Sprintf("; woke p50 %s  p99 %s  max %s later than asked", span(h.Lag.P50), span(h.Lag.P99), span(h.Lag.Max))
	}
	line("harness", "%s, %.2f cores%s", of, h.Cores, woke)
	if h.Bound {
		line("warning", "the harness may be the limit, not the server: %s", h.Why)
	}
}
