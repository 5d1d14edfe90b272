package loadtest

import (
	"cmp"
	"context"
	"time"
)

// Storm measures what happens when everyone reconnects: all connections stand, all
// are cut at once, by us or with their server, and come back as good clients do, with backoff
// and jitter, to whichever server answers. On a Pusher server events are published all
// the while, and subscribers that resume are to get each of them, once and in order.
type Storm struct {
	Options
	// Pusher, when not nil, has the connections subscribe, and Rate events a second
	// published over HTTP, throughout.
	Pusher *Pusher

	// Server has the connections end with their server instead of cutting them: Kill is called then,
	// which may be nil when somebody else ends it. What is cut is what ends within
	// a second of the first.
	Server bool
	Kill   func() error

	// Ping, when above 0, is how often each connection is pinged; one that answers nothing is ended and comes back,
	// as one would at a server that is stopped. At a Pusher server 0 is half of the activity timeout that it names.
	Ping time.Duration

	MinBackoff time.Duration // bound of the wait before the first attempt, drawn from 0 up (full jitter); 0 = 100 ms
	MaxBackoff time.Duration // each failure doubles the bound up to this; 0 = 5 s
	Herd       bool          // no wait before the first attempt, and MinBackoff after failures

	Before time.Duration // how long all stand, and events are published, before the cut; 0 = 2 s, negative = not at all
	After  time.Duration // how long it goes on when all are back; likewise
	Limit  time.Duration // how long to wait for the cut, and then for all to be back; 0 = 1 min
}

func (o *Storm) normalize() error {
	o.MinBackoff, o.MaxBackoff = cmp.Or(o.MinBackoff, 100*time.Millisecond), cmp.Or(o.MaxBackoff, 5*time.Second)
	o.Before, o.After, o.Limit = cmp.Or(o.Before, 2*time.Second), cmp.Or(o.After, 2*time.Second), cmp.Or(o.Limit, time.Minute)
	switch {
	case o.MinBackoff < 0 || o.MaxBackoff < o.MinBackoff:
		return invalid("a backoff from %v to %v: want it to rise", o.MinBackoff, o.MaxBackoff)
	case o.Limit < 0 || o.Ping < 0:
		return invalid("the limit and the time between pings must not be negative")
	case o.Kill != nil && !o.Server:
		return invalid("a server to end, and connections that are cut by us: want one of them")
	case o.Pusher == nil:
		return nil
	case o.Pusher.Client:
		return invalid("client events in a storm: their senders are cut too; publish over HTTP")
	}
	p := *o.Pusher
	o.Pusher = &p
	if err := p.normalize(&o.Options); err != nil {
		return err
	}
	return p.apps(&o.Options)
}

// Run runs the scenario; see [Echo.Run] for ctx, the report and the errors. Kill's error is among them.
func (o Storm) Run(ctx context.Context) (*Report, error) {
	if err := o.normalize(); err != nil {
		return nil, err
	}
	m := &stormRun{Storm: &o}
	most := maxIdlePayload
	if o.Pusher != nil {
		var err error
		if m.stamp, err = newEventStamp(o.Pusher.Size); err != nil {
			return nil, err
		}
		most = maxPusherFrame
	}
	d, err := newDriver(ctx, "storm", o.Options, most, m.script)
	if err != nil {
		return nil, err
	}
	m.d = d
	d.connect()
	if o.Pusher != nil {
		subscribed(d, m.pushers)
		d.meet(MeetSubscribed)
	}
	if o.Kill != nil {
		d.lead("ends the server")
	}
	if d.report.Connections.Opened > 0 && d.ctx.Err() == nil {
		if d.report.Storm, err = m.measure(); err != nil {
			d.stop()
			return nil, err
		}
	}
	return d.finish()
}

// stormRun is a run under way. It belongs to Run's goroutine.
type stormRun struct {
	*Storm
	d       *driver
	stamp   *eventStamp
	scripts []*storm
	pushers []*pusher // none without Pusher
	s       *schedule // nil when nothing is published
	all     *publishers
}

func (m *stormRun) script(l *loop) script {
	s := &storm{loop: l, o: m.Storm, state: make([]stormConn, len(l.conns)), times: newLatency()}
	if m.Pusher != nil {
		s.h = newPusher(l, m.Pusher, m.stamp)
		s.h.stands = s.back
		m.pushers = append(m.pushers, s.h)
	}
	s.keep()
	m.scripts = append(m.scripts, s)
	return s
}

func (m *stormRun) measure() (*StormReport, error) {
	d := m.d
	if err := m.publish(); err != nil {
		return nil, err
	}
	d.each(func(l *loop) { m.scripts[l.index].begin() })
	d.wait("stand", m.Before, nil)
	before, from := d.cpuMark(), d.plan.clock()
	r := &StormReport{Herd: m.Herd, MinBackoff: m.MinBackoff, MaxBackoff: m.MaxBackoff, By: "client", PublishFailures: []Failure{}}
	if m.Server {
		r.By = "server"
	}
	d.meet(MeetCut)
	err := m.cut()
	if err == nil && d.ctx.Err() == nil {
		m.await(func(s *storm) int { return s.away })
		d.wait("after", m.After, nil)
	}
	r.Measured = time.Duration(d.plan.clock() - from)
	if m.all != nil {
		sum := m.all.wait()
		drainEvents(d, m.pushers, m.s, &sum)
		r.published(m, &sum)
	}
	m.gather(r)
	r.ServerCPU, r.ClientCPU, _ = d.cpuSince(before, d.cpuMark(), r.Measured, uint64(r.Attempts))
	return r, err
}

// publish begins to, when there is something to be published.
func (m *stormRun) publish() (err error) {
	if m.Pusher == nil || m.Pusher.Rate == 0 {
		return nil
	}
	m.s = newSchedule(m.Pusher, m.d.plan.seed)
	m.s.begun = m.d.plan.clock() + int64(10*time.Millisecond)
	schedules(m.d, m.pushers, m.s)
	m.all, err = publish(m.d, m.Pusher, m.s, m.stamp, append([]string{m.URL}, m.More...))
	return err
}

// cutTime is how long after the first connection that ends with its server others are
// counted as cut with it. Those of a silent one are found within the time between pings.
const cutTime = time.Second

// cut cuts all connections, or waits until they are cut.
func (m *stormRun) cut() error {
	d := m.d
	at := d.plan.clock()
	d.each(func(l *loop) { m.scripts[l.index].brace(at) })
	if !m.Server {
		d.each(func(l *loop) { m.scripts[l.index].cutAll() })
		return nil
	}
	if m.Kill != nil && m.d.o.Part.Index == 0 {
		if err := m.Kill(); err != nil {
			return err
		}
	}
	for begun := time.Now(); time.Since(begun) < m.Limit; {
		first, all := int64(never), cutTime
		d.each(func(l *loop) {
			first = min(first, m.scripts[l.index].firstCut())
			all = max(all, m.scripts[l.index].silence)
		})
		if first < never && d.plan.clock()-first >= int64(all) {
			if m.Kill == nil { // nobody knows better when it began
				d.each(func(l *loop) { m.scripts[l.index].cutAt = first })
			}
			return nil
		}
		if !d.wait("cut", closePoll, nil) {
			return nil
		}
	}
	return nil
}

// await waits until nothing is left on any loop, or Limit.
func (m *stormRun) await(left func(*storm) int) {
	for begun := time.Now(); time.Since(begun) < m.Limit; {
		n := 0
		m.d.each(func(l *loop) { n += left(m.scripts[l.index]) })
		if n == 0 || !m.d.wait("return", closePoll, nil) {
			return
		}
		m.d.o.Progress(m.d.progress("return", time.Since(begun), m.Limit))
	}
}
