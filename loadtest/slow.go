package loadtest

import (
	"cmp"
	"context"
	"time"
)

// Slow measures what clients that read slowly do to the others: the same load on
// the same connections, first with all reading as they can, then with some that
// hardly do. All receive a broadcast, or each has its own echo.
type Slow struct {
	Options
	Share    float64 // of the connections are slow, above 0 to 0.9; 0 = 0.01
	ReadRate float64 // bytes a second that a slow one reads; 0 = it never does
	Echo     bool    // the server echoes; else it sends each message to all

	Rate float64 // messages a second: of the one sender of a broadcast (0 = 100), or of all echoing connections together (0 = 1000)
	Size int     // bytes of a message; 0 = 1 KiB; at least MinEchoSize
	Text bool

	Warmup   time.Duration // of each of the two phases, not measured; in the second one buffers fill meanwhile
	Duration time.Duration // of each phase; 0 = 10 s
}

func (s *Slow) normalize() error {
	s.Share = cmp.Or(s.Share, 0.01)
	s.Size = cmp.Or(s.Size, 1024)
	s.Duration = cmp.Or(s.Duration, 10*time.Second)
	if s.Rate == 0 {
		if s.Rate = 100; s.Echo {
			s.Rate = 1000
		}
	}
	switch slow := int(s.Share * float64(s.Conns)); {
	case !(s.Share > 0 && s.Share <= 0.9):
		return invalid("a share of %g slow clients: want above 0%% to 90%%", s.Share)
	case slow < 1:
		return invalid("%g %% of %d connections are no slow client: want a larger share, or more connections", s.Share*100, s.Conns)
	case s.ReadRate < 0 || s.ReadRate > maxReadRate:
		return invalid("reading %g bytes a second: want 0 to %g", s.ReadRate, maxReadRate)
	}
	return nil
}

// maxReadRate is one that no buffer makes a difference to.
const maxReadRate = 1e9

// Run runs the scenario; see [Echo.Run] for ctx, the report and the errors.
func (s Slow) Run(ctx context.Context) (*Report, error) {
	if err := s.normalize(); err != nil {
		return nil, err
	}
	load, err := s.load()
	if err != nil {
		return nil, err
	}
	stamp, err := newStamp(s.Size, s.Text)
	if err != nil {
		return nil, err
	}
	s.Options.slow = slowShare(s.Share)
	var scripts []*slow
	d, err := newDriver(ctx, "slow", s.Options, s.Size, func(l *loop) script {
		w := &slow{loop: l, s: &s, stamp: stamp, cuts: map[string]int{}}
		scripts = append(scripts, w)
		return w
	})
	if err != nil {
		return nil, err
	}
	d.connect()
	if !s.Echo {
		d.lead("sends for all")
	}
	if d.report.Connections.Opened > 0 && d.ctx.Err() == nil {
		if d.report.Slow, err = s.measure(d, scripts, load); err != nil {
			d.cancel(err)
			d.stop()
			return nil, err
		}
	}
	return d.finish()
}

// workload measures one phase, on fresh scripts whose messages are numbered from first on.
type workload func(d *driver, scripts []*slow, aside slowShare, first uint32) SlowPhase

func (s *Slow) load() (workload, error) {
	if s.Echo {
		e := Echo{Options: s.Options, Rate: s.Part.rate(s.Rate), Size: s.Size, Text: s.Text, InFlight: max(1, min(echoSlowInFlight, maxHeld/s.Size)), Warmup: s.Warmup, Duration: s.Duration}
		return e.phase, e.normalize()
	}
	b := Broadcast{Options: s.Options, Rate: s.Rate, Size: s.Size, Text: s.Text, Warmup: s.Warmup, Duration: s.Duration}
	return b.phase, b.normalize()
}

// echoSlowInFlight leaves the schedule of a connection to the rate.
const echoSlowInFlight = 64

// phaseApart keeps the numbers of two phases apart.
const phaseApart = 1 << 24

func (s *Slow) measure(d *driver, scripts []*slow, load workload) (*SlowReport, error) {
	r := &SlowReport{Workload: "broadcast", Share: s.Share, ReadRate: s.ReadRate, Size: s.Size, Rate: s.Rate, Cuts: []SlowCut{}}
	if s.Echo {
		r.Workload = "echo"
	}
	r.Baseline = load(d, scripts, 0, 0)
	d.meet(MeetPhase)
	var failed error
	d.each(func(l *loop) { failed = cmp.Or(failed, scripts[l.index].slowDown(phaseApart)) })
	if failed != nil {
		return nil, failed
	}
	r.Loaded = load(d, scripts, slowShare(s.Share), phaseApart)
	d.meet(MeetPhase)
	d.each(func(l *loop) { failed = cmp.Or(failed, scripts[l.index].speedUp()) })
	if failed != nil {
		return nil, failed
	}
	s.catchUp(d, scripts)
	d.each(func(l *loop) { scripts[l.index].tell(r) })
	if r.Slow > 0 {
		r.ReadPerSecond /= float64(r.Slow)
	}
	r.compare()
	return r, nil
}

const (
	catchUpQuiet = 2 * time.Second  // without any message, the others do not come
	catchUpMost  = 30 * time.Second // and this is how long they may come
)

// catchUp lets the slow ones read all that they were sent.
func (s *Slow) catchUp(d *driver, scripts []*slow) {
	begun, heard, before := time.Now(), time.Now(), uint64(0)
	for time.Since(begun) < catchUpMost && time.Since(heard) < catchUpQuiet {
		behind, messages := 0, uint64(0)
		d.each(func(l *loop) {
			behind += scripts[l.index].behind()
			messages += l.messages
		})
		if messages != before {
			before, heard = messages, time.Now()
		}
		if behind == 0 || !d.wait("catch up", closePoll, nil) {
			return
		}
		d.o.Progress(d.progress("catch up", time.Since(begun), catchUpMost))
	}
}

func (e *Echo) phase(d *driver, scripts []*slow, aside slowShare, first uint32) SlowPhase {
	inner := make([]*echo, len(scripts))
	d.each(func(l *loop) {
		w := scripts[l.index]
		inner[l.index] = newEcho(l, e, stamps{l, w.stamp})
		inner[l.index].aside, inner[l.index].first = aside, first
		w.play(inner[l.index], first)
	})
	r := e.measure(d, inner)
	p := SlowPhase{Measured: r.Measured, Messages: r.Messages, PerSecond: r.PerSecond, Lost: r.Unanswered, Latency: r.Latency,
		ServerCPU: r.ServerCPU, ClientCPU: r.ClientCPU, ServerRSS: d.server.rss()}
	d.each(func(l *loop) { p.Fast += inner[l.index].takers() })
	return p
}

func (b *Broadcast) phase(d *driver, scripts []*slow, aside slowShare, first uint32) SlowPhase {
	inner := make([]*broadcast, len(scripts))
	d.each(func(l *loop) {
		w := scripts[l.index]
		inner[l.index] = &broadcast{loop: l, cast: stamps{l, w.stamp}, state: make([]receiver, len(l.conns)), to: never, aside: aside, first: first, skew: b.Part.skew()}
		w.play(inner[l.index], first)
	})
	r := b.measure(d, inner)
	sent := inner[0].sent
	if !inner[0].sends() { // but another part
		sent = inner[0].numberAt(inner[0].to)
	}
	d.each(func(l *loop) { scripts[l.index].sent = sent })
	for i := range r.Casts { // of a part, which are not merged
		r.Lost += uint64(r.Casts[i].Missing)
	}
	return SlowPhase{Fast: r.Receivers, Measured: r.Measured, Messages: r.Deliveries, PerSecond: r.PerSecond, Lost: r.Lost, Latency: r.Latency,
		ServerCPU: r.ServerCPU, ClientCPU: r.ClientCPU, ServerRSS: d.server.rss()}
}
