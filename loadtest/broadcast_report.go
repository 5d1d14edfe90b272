package loadtest

import (
	"slices"
	"time"
)

// BroadcastReport is what [Broadcast] measured. All latencies count from when a message was
// to leave.
type BroadcastReport struct {
	Rate      float64       `json:"rate"`
	Size      int           `json:"size"` // bytes of a message, of the largest there may be
	Text      bool          `json:"text"`
	Message   string        `json:"message,omitempty"` // a user's template
	Measured  time.Duration `json:"measured_ns"`
	Messages  uint64        `json:"messages"`  // sent within that
	Late      uint64        `json:"late"`      // of these, left more than a millisecond after their time
	Receivers int           `json:"receivers"` // connections that stood from beginning to end

	Deliveries uint64  `json:"deliveries"` // of the messages measured, each counted once
	PerSecond  float64 `json:"per_second"` // deliveries
	Lost       uint64  `json:"lost"`       // deliveries that never came to receivers
	Duplicates uint64  `json:"duplicates"` // messages that came again to a connection
	Reordered  uint64  `json:"reordered"`  // that came after a later one
	Incomplete uint64  `json:"incomplete"` // messages that not all receivers got; not in Last

	First   Latency `json:"first"`   // of each message, at its first receiver
	Median  Latency `json:"median"`  // at the one in the middle
	Last    Latency `json:"last"`    // at the last
	Latency Latency `json:"latency"` // of all deliveries

	// Casts are the messages measured, in the report of a part of a run: [Merge] needs them to tell which receiver
	// of all was the first, the one in the middle and the last.
	Casts []Cast `json:"casts,omitempty"`
	parts [][]Cast

	ServerCPU   *CPU `json:"server_cpu,omitempty"` // by delivery
	ClientCPU   CPU  `json:"client_cpu"`
	ClientBound bool `json:"client_bound"` // the harness was busy enough to be the limit
}

// Cast is one message at the receivers of one part of a run.
type Cast struct {
	Count   int `json:"count"`   // receivers that have it
	Missing int `json:"missing"` // receivers that stand and do not
	// At is how long after its time the first of them had it, …, and the last; not all of them, but at most
	// 33, evenly by rank.
	At []time.Duration `json:"at_ns"`
}

const (
	castPoints = 33
	maxCasts   = 100_000 // of a run in several parts; some 300 bytes of a report each
)

// newCast takes the times that all receivers had a message at, rising.
func newCast(times []time.Duration, missing int) Cast {
	n := len(times)
	c := Cast{Count: n, Missing: missing, At: make([]time.Duration, min(n, castPoints))}
	for i := range c.At {
		at := i
		if n > castPoints {
			at = i * (n - 1) / (castPoints - 1)
		}
		c.At[i] = times[at]
	}
	return c
}

// gather counts what this process saw of the messages from first to before end.
func (r *BroadcastReport) gather(d *driver, scripts []*broadcast, first, end uint32) {
	all := newLatency()
	d.each(func(l *loop) {
		s := scripts[l.index]
		for i := range s.state {
			if s.state[i].takesPart && s.conns[i].state == connOpen {
				r.Receivers++
			}
		}
		r.Duplicates += s.duplicates
		r.Reordered += s.reordered
		r.Late += s.lateFrom(first)
		r.Messages += uint64(max(s.sent, first) - first)
	})
	var times []time.Duration
	for k := first; k < end; k++ {
		missing := uint64(0)
		times = times[:0]
		d.each(func(l *loop) {
			s := scripts[l.index]
			missing += s.missing(k, k+1)
			for _, at := range s.times(k) {
				times = append(times, time.Duration(at-s.dueAt(k)))
			}
		})
		slices.Sort(times)
		for _, t := range times {
			all.record(int64(t))
		}
		r.Deliveries += uint64(len(times))
		r.Casts = append(r.Casts, newCast(times, int(missing)))
	}
	r.Latency = all.whole()
}

// merge adds the report of another part. One of them sent the messages.
func (r *BroadcastReport) merge(o *BroadcastReport) error {
	if r.parts == nil {
		r.parts = [][]Cast{r.Casts}
	}
	r.parts = append(r.parts, o.Casts)
	r.Measured = max(r.Measured, o.Measured)
	r.Messages += o.Messages
	r.Late += o.Late
	r.Receivers += o.Receivers
	r.Deliveries += o.Deliveries
	r.PerSecond += o.PerSecond
	r.Duplicates += o.Duplicates
	r.Reordered += o.Reordered
	r.ClientBound = r.ClientBound || o.ClientBound
	mergeCPU(&r.ClientCPU, &o.ClientCPU, &r.ServerCPU, o.ServerCPU, r.Deliveries)
	return r.Latency.merge(&o.Latency)
}

// resolve tells from the casts of all parts what no part knows.
func (r *BroadcastReport) resolve() {
	if r.parts == nil {
		r.parts = [][]Cast{r.Casts}
	}
	first, median, last := newLatency(), newLatency(), newLatency()
	for k := range int(r.Messages) {
		var m moments
		for _, part := range r.parts {
			if k < len(part) {
				m.add(&part[k])
			}
		}
		r.Lost += uint64(m.missing)
		if m.missing > 0 {
			r.Incomplete++
		}
		if len(m.points) == 0 {
			continue
		}
		slices.SortFunc(m.points, func(a, b point) int { return int(a.at - b.at) })
		first.record(int64(m.points[0].at))
		median.record(int64(m.median()))
		if m.missing == 0 {
			last.record(int64(m.points[len(m.points)-1].at))
		}
	}
	r.First, r.Median, r.Last = first.summary(), median.summary(), last.summary()
	r.Casts, r.parts = nil, nil
}

// moments are when receivers of all parts had one message.
type moments struct {
	points  []point
	count   int
	missing int
}

// point stands for some receivers.
type point struct {
	at     time.Duration
	weight float64
}

func (m *moments) add(c *Cast) {
	m.count += c.Count
	m.missing += c.Missing
	for _, at := range c.At {
		m.points = append(m.points, point{at, float64(c.Count) / float64(len(c.At))})
	}
}

// median is when half of all had it. It is exact where the parts have few receivers, and
// else to a sixtieth of them.
func (m *moments) median() time.Duration {
	half, sum := float64((m.count+1)/2), 0.0
	for _, p := range m.points {
		if sum += p.weight; sum >= half-1e-6 {
			return p.at
		}
	}
	return m.points[len(m.points)-1].at
}
