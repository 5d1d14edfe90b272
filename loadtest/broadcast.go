package loadtest

import (
	"context"
	"slices"
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

	ServerCPU   *CPU `json:"server_cpu,omitempty"` // by delivery
	ClientCPU   CPU  `json:"client_cpu"`
	ClientBound bool `json:"client_bound"` // the harness was busy enough to be the limit
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
	if b.Part.parts() > 1 {
		return invalid("%w", errBroadcastAlone)
	}
	switch all := b.Rate * (b.Duration + b.Warmup).Seconds() * float64(b.Conns); {
	case b.Rate < 0 || b.Warmup < 0 || b.Duration < 0:
		return invalid("rate, warm-up and duration must not be negative")
	case b.Size > maxHeld/2:
		return invalid("messages of %d bytes: want at most %d", b.Size, maxHeld/2)
	case all > maxDeliveries:
		return invalid("%.0f deliveries: want at most %d; a lower rate, a shorter run, or fewer connections", all, maxDeliveries)
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
		s := &broadcast{loop: l, cast: cast(l), state: make([]receiver, len(l.conns)), to: never}
		scripts = append(scripts, s)
		return s
	})
	if err != nil {
		return nil, err
	}
	d.connect()
	if d.report.Connections.Opened > 0 && d.ctx.Err() == nil {
		d.report.Broadcast = b.measure(d, scripts)
	}
	return d.finish()
}

func (b *Broadcast) measure(d *driver, scripts []*broadcast) *BroadcastReport {
	apart := 1e9 / b.Rate
	begin := d.plan.clock() + int64(time.Millisecond)
	d.each(func(l *loop) { scripts[l.index].begin(begin, apart) })
	if b.Warmup > 0 {
		d.wait("warm-up", b.Warmup, nil)
	}
	serverBefore, clientBefore := d.server.cpu(), ownCPU()
	from := d.plan.clock()
	d.wait("measure", b.Duration, nil)
	to := d.plan.clock()
	d.each(func(l *loop) { scripts[l.index].to = to })
	serverAfter, clientAfter := d.server.cpu(), ownCPU()

	r := &BroadcastReport{Rate: b.Rate, Size: b.Size, Text: b.Text, Message: b.Message.text(), Measured: time.Duration(to - from)}
	first := scripts[0].numberAt(from)
	b.drain(d, scripts, first)
	r.gather(d, scripts, first)
	r.PerSecond = float64(r.Deliveries) / r.Measured.Seconds()
	r.ClientCPU = newCPU(clientAfter.total-clientBefore.total, clientAfter.system-clientBefore.system, r.Measured, r.Deliveries)
	if d.server.known() {
		c := newCPU(serverAfter-serverBefore, 0, r.Measured, r.Deliveries)
		r.ServerCPU = &c
	}
	r.ClientBound = r.ClientCPU.Cores >= busy*float64(len(d.loops))
	return r
}

// drain waits until all deliveries are there.
func (b *Broadcast) drain(d *driver, scripts []*broadcast, first uint32) {
	for begun := time.Now(); time.Since(begun) < drainWait && d.ctx.Err() == nil; {
		missing := uint64(0)
		sent := uint32(0)
		d.each(func(l *loop) { sent = max(sent, scripts[l.index].sent) })
		d.each(func(l *loop) { missing += scripts[l.index].missing(first, sent) })
		if missing == 0 {
			return
		}
		d.wait("drain", closePoll, nil)
	}
}

// gather counts what was measured: the messages from first on.
func (r *BroadcastReport) gather(d *driver, scripts []*broadcast, first uint32) {
	all, firsts, medians, lasts := newLatency(), newLatency(), newLatency(), newLatency()
	sent := scripts[0].sent
	d.each(func(l *loop) {
		s := scripts[l.index]
		for i := range s.state {
			if s.state[i].takesPart && s.conns[i].state == connOpen {
				r.Receivers++
			}
		}
		r.Duplicates += s.duplicates
		r.Reordered += s.reordered
		r.Lost += s.missing(first, sent)
		r.Late += s.lateFrom(first)
	})
	var times []int64
	for k := first; k < sent; k++ {
		r.Messages++
		times = times[:0]
		d.each(func(l *loop) { times = append(times, scripts[l.index].times(k)...) })
		slices.Sort(times)
		due := scripts[0].dueAt(k)
		for _, t := range times {
			all.record(t - due)
		}
		r.Deliveries += uint64(len(times))
		if len(times) < r.Receivers {
			r.Incomplete++
		}
		if len(times) == 0 {
			continue
		}
		firsts.record(times[0] - due)
		medians.record(times[(len(times)-1)/2] - due)
		if len(times) >= r.Receivers {
			lasts.record(times[len(times)-1] - due)
		}
	}
	r.First, r.Median, r.Last, r.Latency = firsts.summary(), medians.summary(), lasts.summary(), all.whole()
}
