package loadtest

import (
	"context"
	"time"
)

// Churn keeps connections open that live a random time: each ends, and its place
// is dialled anew. It measures what a server with users who come and go has to do: handshakes and
// closes a second, how long they take, and whether all is given back at the end.
type Churn struct {
	Options
	Lifetime time.Duration // the mean of an exponential distribution; 0 = 10 s
	Abort    float64       // share of lives that end with an RST, 0 to 1; the others end with a close handshake
	Echo     bool          // send one message a life, and want it echoed
	Size     int           // bytes of that message; 0 = 64; at least MinEchoSize
	Text     bool
	// Message is what to send instead of Size bytes of its own; nil = those.
	Message *Messages

	Warmup   time.Duration // not measured
	Duration time.Duration // measured; 0 = 10 s
}

func (c *Churn) normalize() error {
	if c.Lifetime == 0 {
		c.Lifetime = 10 * time.Second
	}
	if c.Size == 0 {
		c.Size = 64
	}
	if c.Duration == 0 {
		c.Duration = 10 * time.Second
	}
	switch {
	case c.Lifetime < time.Millisecond:
		return invalid("a lifetime of %v: want at least 1ms", c.Lifetime)
	case !(c.Abort >= 0 && c.Abort <= 1):
		return invalid("a share of %g to abort: want 0%% to 100%%", c.Abort)
	case c.Size > maxHeld/2:
		return invalid("messages of %d bytes: want at most %d", c.Size, maxHeld/2)
	case c.Warmup < 0 || c.Duration < 0:
		return invalid("warm-up and duration must not be negative")
	}
	return nil
}

// Run runs the scenario; see [Echo.Run] for ctx, the report and the errors.
func (c Churn) Run(ctx context.Context) (*Report, error) {
	if err := c.normalize(); err != nil {
		return nil, err
	}
	stamp, err := stampFor(&c.Size, c.Text, c.Message)
	if err != nil {
		return nil, err
	}
	var scripts []*churn
	d, err := newDriver(ctx, "churn", c.Options, max(c.Size, maxIdlePayload), func(l *loop) script {
		s := newChurn(l, &c, newSpeaker(l, stamp, c.Message, 1))
		scripts = append(scripts, s)
		return s
	})
	if err != nil {
		return nil, err
	}
	use := &ServerUse{Before: d.server.holding()}
	d.connect()
	if d.report.Connections.Opened > 0 && d.ctx.Err() == nil {
		use.Opened = d.server.holding()
		r := c.measure(d, scripts)
		use.Churned = d.server.holding()
		if len(d.server.pids) > 0 {
			r.Server = use
			d.gone = func() { use.After = d.emptied(use.Before) }
		}
		d.report.Churn = r
	}
	return d.finish()
}

func (c *Churn) measure(d *driver, scripts []*churn) *ChurnReport {
	d.each(func(l *loop) { scripts[l.index].begin() })
	if c.Warmup > 0 {
		d.wait("warm-up", c.Warmup, nil)
	}
	before, from := d.cpuMark(), d.plan.clock()
	d.each(func(l *loop) { scripts[l.index].measure() })
	d.wait("measure", c.Duration, nil)
	r := &ChurnReport{Lifetime: c.Lifetime, Abort: c.Abort}
	handshakes, closes, echoes := newLatency(), newLatency(), newLatency()
	to := d.plan.clock()
	d.each(func(l *loop) {
		s := scripts[l.index]
		s.end()
		r.add(&s.counts)
		r.Standing += l.open
		handshakes.merge(s.handshakes)
		closes.merge(s.closes)
		echoes.merge(s.echoes)
	})
	after := d.cpuMark()
	d.settle(func(l *loop) int { return len(l.conns) - scripts[l.index].standing() })
	r.Measured = time.Duration(to - from)
	r.PerSecond = float64(r.Opened) / r.Measured.Seconds()
	r.Handshake, r.Close = handshakes.whole(), closes.whole()
	if c.Echo {
		r.Echo = &ChurnEcho{Messages: uint64(echoes.h.TotalCount()), Latency: echoes.whole()}
		d.each(func(l *loop) { r.Echo.Silent += scripts[l.index].counts.silent })
	}
	r.ServerCPU, r.ClientCPU, r.ClientBound = d.cpuSince(before, after, r.Measured, r.Opened)
	return r
}

// settleWait is longer than a close that is not answered, and the dial after it.
const settleWait = closeWait + time.Second

// settle waits until nothing is left to be done on any loop, for settleWait at most.
func (d *driver) settle(left func(*loop) int) {
	for begun := time.Now(); time.Since(begun) < settleWait; {
		n := 0
		d.each(func(l *loop) { n += left(l) })
		if n <= 0 || !d.wait("settle", closePoll, nil) {
			return
		}
		d.o.Progress(d.progress("settle", time.Since(begun), settleWait))
	}
}

// emptied tells what the server holds without connections. It has some time to give
// descriptors back.
func (d *driver) emptied(before Holding) (h Holding) {
	d.each(func(l *loop) {
		for i := range l.conns {
			if c := &l.conns[i]; c.state == connClosing {
				l.abort(c)
			}
		}
	})
	for begun := time.Now(); ; time.Sleep(closePoll) {
		if h = d.server.holding(); h.Descriptors <= before.Descriptors || time.Since(begun) > closeWait {
			return h
		}
	}
}

func (s *server) holding() Holding { return Holding{RSS: s.rss(), Descriptors: s.descriptors()} }
