package loadtest

import (
	"cmp"
	"time"
)

// PushSlow is what slow readers did to the other subscribers, whose latency with
// them is the report's.
type PushSlow struct {
	Share    float64 `json:"share"`     // of the connections
	ReadRate float64 `json:"read_rate"` // bytes a second each; 0 = never
	Slow     int     `json:"slow"`      // connections
	Baseline Latency `json:"baseline"`  // of the others, while all read as they could
	// FastP99Ratio is their p99 with the slow ones over that without; 0 without events.
	FastP99Ratio  float64 `json:"fast_p99_ratio"`
	ReadPerSecond float64 `json:"read_per_second"` // bytes that each slow one did read
	Disconnected  int     `json:"disconnected"`    // of the slow, by the server
}

// slowDown begins or ends slow reading on all loops.
func (m *pushRun) slowDown(change func(*sippers) error) (failed error) {
	m.d.each(func(l *loop) {
		s := m.scripts[l.index]
		failed = cmp.Or(failed, change(s.sippers))
		l.due = min(l.due, l.clock())
	})
	return failed
}

// slow lets the slow ones read on, as far as to learn which were disconnected.
func (m *pushRun) slow(with *Latency) (*PushSlow, error) {
	r := &PushSlow{Share: m.Slow, ReadRate: m.ReadRate}
	if err := m.slowDown((*sippers).end); err != nil {
		return nil, err
	}
	for begun, before := time.Now(), uint64(0); time.Since(begun) < catchUpQuiet; {
		heard := uint64(0)
		m.d.each(func(l *loop) { heard += m.pushers[l.index].heard })
		if heard != before {
			before, begun = heard, time.Now()
		}
		if !m.d.wait("catch up", closePoll, nil) {
			break
		}
	}
	base, taken := newLatency(), uint64(0)
	m.d.each(func(l *loop) {
		s := m.scripts[l.index]
		base.merge(s.baseline)
		taken += s.sippers.taken
		r.Slow += len(s.sippers.slots)
		for _, slot := range s.sippers.slots {
			if l.conns[slot].state != connOpen {
				r.Disconnected++
			}
		}
	})
	r.Baseline = base.whole()
	if r.Slow > 0 {
		r.ReadPerSecond = float64(taken) / float64(r.Slow) / (m.Warmup + m.Duration).Seconds()
	}
	r.compare(with)
	return r, nil
}

func (r *PushSlow) compare(with *Latency) {
	if r.FastP99Ratio = 0; r.Baseline.P99 > 0 {
		r.FastP99Ratio = float64(with.P99) / float64(r.Baseline.P99)
	}
}

func (r *PushSlow) writeText(line liner) {
	reads := "never read"
	if r.ReadRate > 0 {
		reads = "read " + rate(r.ReadRate) + " B a second each"
	}
	line("slow", "%s connections, which %s; %s of them were disconnected", count(r.Slow), reads, count(r.Disconnected))
	line("all fast", "%s", r.Baseline.text())
	line("", "fast p99 is %s times what it was without slow ones", trimmed(r.FastP99Ratio))
}

func (r *PushSlow) figures(add func(string, float64)) {
	if b := &r.Baseline; b.Count > 0 {
		add("baseline-p50", float64(b.P50))
		add("baseline-p99", float64(b.P99))
	}
	if r.FastP99Ratio > 0 {
		add("fast-p99-ratio", r.FastP99Ratio)
	}
	add("slow-disconnected", float64(r.Disconnected))
}

// merge adds the report of another part; who calls it calls compare then.
func (r *PushSlow) merge(o *PushSlow) error {
	if slow := r.Slow + o.Slow; slow > 0 {
		r.ReadPerSecond = (r.ReadPerSecond*float64(r.Slow) + o.ReadPerSecond*float64(o.Slow)) / float64(slow)
		r.Slow = slow
	}
	r.Disconnected += o.Disconnected
	return r.Baseline.merge(&o.Baseline)
}
