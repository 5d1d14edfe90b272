package loadtest

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"
)

// Push measures a server of Pusher Channels protocol 7, whoever made it: connections subscribe to
// channels, publishers publish to them at fixed times, and each event carries its channel, its number and
// its time. What counts is when subscribers have an event, from when it was to
// leave, and whether all of them got it, once and in order. Every byte is compared.
//
// The URL is the server's; the path /app/KEY is added where it is missing.
type Push struct {
	Options
	Pusher

	Warmup   time.Duration // not measured; what is lost in it counts nevertheless
	Duration time.Duration // measured; 0 = 10 s

	// Slow, when above 0, is the share of connections that read ReadRate bytes a second each, 0 for none at all.
	// The run has two phases then, of Warmup and Duration each: all read as they can in the first.
	// Figures are of the others, and of the second.
	Slow     float64
	ReadRate float64
}

func (p *Push) normalize() error {
	p.Rate, p.Duration = cmp.Or(p.Rate, 10), cmp.Or(p.Duration, 10*time.Second)
	if err := p.Pusher.normalize(&p.Options); err != nil {
		return err
	}
	switch events := p.Rate * p.Duration.Seconds(); {
	case p.Warmup < 0 || p.Duration < 0:
		return invalid("warm-up and duration must not be negative")
	case !(p.Slow >= 0 && p.Slow <= 0.9) || p.Slow > 0 && int(p.Slow*float64(p.Conns)) == 0:
		return invalid("a share of %g slow clients of %d: want one of them, and 90%% at most", p.Slow, p.Conns)
	case p.ReadRate < 0 || p.ReadRate > maxReadRate:
		return invalid("reading %g bytes a second: want 0 to %g", p.ReadRate, maxReadRate)
	case events > maxEvents:
		return invalid("%.0f events: want at most %d; a lower rate, or a shorter run", events, maxEvents)
	}
	p.Options.slow = slowShare(p.Slow)
	return p.apps(&p.Options)
}

// Run runs the scenario; see [Echo.Run] for ctx, the report and the errors.
func (p Push) Run(ctx context.Context) (*Report, error) {
	if err := p.normalize(); err != nil {
		return nil, err
	}
	stamp, err := newEventStamp(p.Size)
	if err != nil {
		return nil, err
	}
	m := &pushRun{Push: &p, stamp: stamp}
	d, err := newDriver(ctx, "push", p.Options, maxPusherFrame, func(l *loop) script {
		s := &push{pusher: newPusher(l, &p.Pusher, stamp), published: newPublished(), sippers: newSippers(l, p.ReadRate)}
		m.scripts, m.pushers = append(m.scripts, s), append(m.pushers, s.pusher)
		return s
	})
	if err != nil {
		return nil, err
	}
	m.d = d
	d.connect()
	subscribed(d, m.pushers)
	d.meet(MeetSubscribed)
	if d.report.Connections.Opened > 0 && d.ctx.Err() == nil {
		if d.report.Push, err = m.measure(); err != nil {
			d.stop()
			return nil, err
		}
	}
	return d.finish()
}

// pushRun is a run under way. It belongs to Run's goroutine.
type pushRun struct {
	*Push
	d       *driver
	stamp   *eventStamp
	scripts []*push
	pushers []*pusher
	s       *schedule
}

// plan fixes what is due when, and what is measured.
func (m *pushRun) plan() {
	s := newSchedule(&m.Pusher, m.d.plan.seed)
	s.begun = m.d.plan.clock() + int64(10*time.Millisecond)
	at := s.begun + int64(m.Warmup)
	if m.Slow > 0 {
		s.baseFrom, s.baseEnd = s.numberAt(at), s.numberAt(at+int64(m.Duration))
		at += int64(m.Duration + m.Warmup)
	}
	s.from, s.end = s.numberAt(at), s.numberAt(at+int64(m.Duration))
	s.came = make([]atomic.Uint32, s.end-s.from)
	m.s = s
}

// measure publishes, and waits for what is under way.
func (m *pushRun) measure() (*PushReport, error) {
	d := m.d
	m.plan()
	schedules(d, m.pushers, m.s)
	stop, err := m.publish()
	if err != nil {
		return nil, err
	}
	if m.Slow > 0 {
		d.wait("warm-up", m.Warmup, nil)
		d.wait("baseline", m.Duration, nil)
		if err := m.slowDown((*sippers).begin); err != nil {
			stop()
			return nil, err
		}
	}
	d.wait("warm-up", m.Warmup, nil)
	before := d.cpuMark()
	from := d.plan.clock()
	d.wait("measure", m.Duration, nil)
	to := d.plan.clock()
	sum := stop()
	drainEvents(d, m.pushers, m.s, &sum)
	// A server that is behind does in the drain what it was asked for before.
	after, spent := d.cpuMark(), time.Duration(d.plan.clock()-from)
	r := m.describe()
	d.each(func(l *loop) { to = max(to, m.pushers[l.index].latest) })
	r.Measured = time.Duration(to - from)
	m.gather(r, &sum)
	if m.Slow > 0 {
		if r.Slow, err = m.slow(&r.Latency); err != nil {
			return nil, err
		}
	}
	r.ServerCPU, r.ClientCPU, r.ClientBound = d.cpuSince(before, after, spent, r.Deliveries)
	if r.ServerCPU != nil && r.Published > 0 {
		r.ServerPublish = r.ServerCPU.Time / time.Duration(r.Published)
	}
	return r, nil
}

// publish begins to, and returns what waits for the end of it: a server that is
// behind has drainWait for what was due.
func (m *pushRun) publish() (stop func() published, err error) {
	if m.Client {
		m.d.each(func(l *loop) { m.scripts[l.index].begin() })
		return m.endClients, nil
	}
	all, err := publish(m.d, &m.Pusher, m.s, m.stamp, append([]string{m.URL}, m.More...))
	if err != nil {
		return nil, err
	}
	return func() published {
		m.d.wait("drain", drainWait, all.ended)
		sum := all.wait()
		all.waiting(m.d.plan.clock(), sum.ages)
		return sum
	}, nil
}

// endClients waits until all that was due is sent.
func (m *pushRun) endClients() published {
	for begun := time.Now(); time.Since(begun) < drainWait && m.d.ctx.Err() == nil; m.d.wait("drain", closePoll, nil) {
		sending := false
		m.d.each(func(l *loop) { sending = sending || m.scripts[l.index].cursor < m.s.end })
		if !sending {
			break
		}
	}
	sum := newPublished()
	m.d.each(func(l *loop) { sum.add(m.scripts[l.index].end()) })
	return sum
}

// drainEvents waits until all deliveries are there.
func drainEvents(d *driver, all []*pusher, s *schedule, sum *published) {
	d.drain(func() uint64 {
		lost, _ := missing(d, all, s, sum)
		return lost
	})
}

// missing counts, over all loops, deliveries that did not come and that should have.
func missing(d *driver, all []*pusher, s *schedule, sum *published) (lost, expected uint64) {
	d.each(func(l *loop) {
		n, of := all[l.index].missing(s.sent, sum.excused)
		lost += n
		expected += of
	})
	return lost, expected
}

func (m *pushRun) describe() *PushReport {
	r := &PushReport{
		Publish: "http", Rate: m.Rate, Size: m.Size, Channels: m.Channels, Subscriptions: m.Subscriptions,
		Private: m.Private, Presence: m.Presence, Publishers: m.Publishers, Batch: m.Batch,
	}
	if m.Client {
		r.Publish, r.Publishers = "client", m.Channels
	}
	for _, n := range m.s.receivers {
		r.Subscribed += int(n)
	}
	return r
}

// gather counts what was measured.
func (m *pushRun) gather(r *PushReport, sum *published) {
	corrected, raw, first, median, last := newLatency(), newLatency(), newLatency(), newLatency(), newLatency()
	complete := uint64(0)
	m.d.each(func(l *loop) {
		h := m.pushers[l.index]
		corrected.merge(h.corrected)
		raw.merge(h.raw)
		first.merge(h.first)
		median.merge(h.median)
		last.merge(h.last)
		r.Deliveries += h.measured
		r.Duplicates += h.duplicates
		r.Reordered += h.reordered
		r.Refused += h.refused
		complete += h.complete
	})
	r.Published, r.Requests, r.Late = sum.events, sum.requests, sum.late
	due := uint64(max(m.s.from, min(m.s.end, m.s.numberAt(m.d.plan.clock()))) - m.s.from) // all of them, unless interrupted
	r.Unpublished = due - min(due, sum.tried)
	r.PublishFailures = sum.failures.list()
	r.Lost, r.Expected = missing(m.d, m.pushers, m.s, sum)
	r.Incomplete = r.Published - min(r.Published, complete)
	r.PerSecond = float64(r.Deliveries) / max(r.Measured.Seconds(), 1e-9)
	r.Call, r.First, r.Median, r.Last = sum.calls.summary(), first.summary(), median.summary(), last.summary()
	corrected.merge(sum.ages)
	r.Latency, r.Uncorrected = corrected.whole(), raw.whole()
}
