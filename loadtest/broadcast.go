package loadtest

import (
	"context"
	"time"
)

// Broadcast measures a server that sends each message to all connections: one
// connection sends at fixed times, all receive. What counts is when the first, the
// median and the last receiver has a message. Every byte is compared.
type Broadcast struct {
	Options
	Rate float64 // messages a second; 0 = 10
	Size int     // bytes of a message; 0 = 64; at least MinEchoSize
	Text bool
	// Message is what to send instead of Size bytes of its own; nil = those.
	Message *Messages

	Warmup   time.Duration // not measured
	Duration time.Duration // measured; 0 = 10 s
}

// maxDeliveries bounds the memory for the times of deliveries, 8 bytes each.
const maxDeliveries = 100_000_000

func (b *Broadcast) normalize() error {
	if b.Rate == 0 {
		b.Rate = 10
	}
	if b.Size == 0 {
		b.Size = 64
	}
	if b.Duration == 0 {
		b.Duration = 10 * time.Second
	}
	sent := b.Rate * (b.Duration + b.Warmup).Seconds()
	switch all := sent * float64(b.Conns); {
	case b.Rate < 0 || b.Warmup < 0 || b.Duration < 0:
		return invalid("rate, warm-up and duration must not be negative")
	case b.Size > maxHeld/2:
		return invalid("messages of %d bytes: want at most %d", b.Size, maxHeld/2)
	case all > maxDeliveries:
		return invalid("%.0f deliveries: want at most %d; a lower rate, a shorter run, or fewer connections", all, maxDeliveries)
	case b.Part.parts() > 1 && sent > maxCasts:
		return invalid("%.0f messages over several processes: want at most %d; a lower rate, or a shorter run", sent, maxCasts)
	case b.Part.parts() > 1 && b.Message != nil:
		return invalid("messages of yours are known to the process that sends them only: run the broadcast in one, or leave them away")
	}
	return nil
}

// Run runs the scenario; see [Echo.Run] for ctx, the report and the errors.
func (b Broadcast) Run(ctx context.Context) (*Report, error) {
	if err := b.normalize(); err != nil {
		return nil, err
	}
	stamp, err := stampFor(&b.Size, b.Text, b.Message)
	if err != nil {
		return nil, err
	}
	cast, err := newCasters(stamp, b.Message)
	if err != nil {
		return nil, err
	}
	var scripts []*broadcast
	d, err := newDriver(ctx, "broadcast", b.Options, b.Size, func(l *loop) script {
		s := &broadcast{loop: l, cast: cast(l), state: make([]receiver, len(l.conns)), to: never, skew: b.Part.skew()}
		scripts = append(scripts, s)
		return s
	})
	if err != nil {
		return nil, err
	}
	d.connect()
	d.lead("sends for all")
	if d.report.Connections.Opened > 0 && d.ctx.Err() == nil {
		d.report.Broadcast = b.measure(d, scripts)
	}
	return d.finish()
}

// castAhead is how far ahead a broadcast of several parts begins, so that all of them listen.
const castAhead = 200 * time.Millisecond

func (b *Broadcast) measure(d *driver, scripts []*broadcast) *BroadcastReport {
	begun := int64(d.meet(MeetBegin).Sub(d.plan.base) + time.Millisecond)
	if b.Part.parts() > 1 {
		begun += int64(castAhead)
	}
	from := begun + int64(b.Warmup)
	to := from + int64(b.Duration)
	d.each(func(l *loop) { scripts[l.index].begin(begun, 1e9/b.Rate, to) })
	first, end := scripts[0].numberAt(from), scripts[0].numberAt(to)
	if b.Warmup > 0 {
		d.waitUntil("warm-up", from)
	}
	before := d.cpuMark()
	d.waitUntil("measure", to)
	after := d.cpuMark()
	if now := d.plan.clock(); now < to { // interrupted
		to, end = now, max(first, scripts[0].numberAt(now))
		d.each(func(l *loop) { scripts[l.index].to = to })
	}
	d.drain(func() uint64 { return d.sum(func(l *loop) uint64 { return scripts[l.index].missing(first, end) }) })
	r := &BroadcastReport{Rate: b.Rate, Size: b.Size, Text: b.Text, Message: b.Message.text(), Measured: time.Duration(max(to-from, 1))}
	r.gather(d, scripts, first, end)
	if b.Part.parts() == 1 {
		r.resolve()
	}
	r.PerSecond = float64(r.Deliveries) / r.Measured.Seconds()
	r.ServerCPU, r.ClientCPU, r.ClientBound = d.cpuSince(before, after, r.Measured, r.Deliveries)
	return r
}
