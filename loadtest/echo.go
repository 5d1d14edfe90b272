package loadtest

import (
	"context"
	"errors"
	"time"
)

// Echo measures an echo server: messages a second, round trips, CPU a message.
// Every byte that comes back is compared with what was sent.
type Echo struct {
	Options
	InFlight int // messages a connection may have under way; 0 = 1
	Size     int // bytes of a message; 0 = 64; at least MinEchoSize
	Text     bool
	// Message is what to send instead of Size bytes of its own; nil = those.
	Message *Messages

	// Rate, when above 0, opens the model: so many messages a second, over all
	// connections, leave at times fixed beforehand, and latency counts from
	// there. A message whose connection has InFlight under way leaves late, and its
	// wait counts.
	Rate float64

	Warmup   time.Duration // not measured
	Duration time.Duration // measured; 0 = 10 s
}

// EchoReport is what [Echo] measured. Messages are round trips.
type EchoReport struct {
	InFlight int     `json:"in_flight"`
	Size     int     `json:"size"`              // bytes of a message, of the largest there may be
	Message  string  `json:"message,omitempty"` // a user's template
	Text     bool    `json:"text"`
	Rate     float64 `json:"rate,omitempty"` // asked for; 0 in the closed model

	Measured  time.Duration `json:"measured_ns"`
	Messages  uint64        `json:"messages"` // came back within that
	PerSecond float64       `json:"per_second"`

	// Latency counts from when a message was to leave in the open model, and from when it
	// left in the closed one.
	Latency Latency `json:"latency"`
	// Uncorrected counts from when it left, in the open model.
	Uncorrected *Latency `json:"uncorrected,omitempty"`
	// Late is how many left more than a millisecond after their time: mostly
	// because replies were awaited.
	Late uint64 `json:"late,omitempty"`
	// Unanswered is how many were due or under way at the end and never came back. In the open model
	// they are in Latency with their age at the end; in the closed model they are not.
	Unanswered uint64 `json:"unanswered"`

	ServerCPU *CPU `json:"server_cpu,omitempty"`
	ClientCPU CPU  `json:"client_cpu"`
	// ClientBound says that the harness was busy enough to be the limit.
	ClientBound bool `json:"client_bound"`
}

// CPU is processor time spent while measuring.
type CPU struct {
	Time       time.Duration `json:"time_ns"`
	System     time.Duration `json:"system_ns,omitempty"` // of Time, spent in the kernel; where it is known
	Cores      float64       `json:"cores"`               // Time over the time measured
	PerMessage time.Duration `json:"per_message_ns"`
}

func newCPU(used, system, measured time.Duration, messages uint64) CPU {
	c := CPU{Time: used, System: system, Cores: used.Seconds() / measured.Seconds()}
	if messages > 0 {
		c.PerMessage = used / time.Duration(messages)
	}
	return c
}

const (
	busy        = 0.9 // of a core, where a loop counts as the limit
	maxInFlight = 1 << 16
)

var errUnasked = errors.New("a reply came to a message that was not sent yet")

func (e *Echo) normalize() error {
	if e.InFlight == 0 {
		e.InFlight = 1
	}
	if e.Size == 0 {
		e.Size = 64
	}
	if e.Duration == 0 {
		e.Duration = 10 * time.Second
	}
	switch {
	case e.InFlight < 0 || e.InFlight > maxInFlight:
		return invalid("%d messages in flight: want 1 to %d", e.InFlight, maxInFlight)
	case e.Size > maxHeld/2:
		return invalid("messages of %d bytes: want at most %d", e.Size, maxHeld/2)
	case e.Message == nil && e.Size > maxHeld/e.InFlight: // else a server that reads as it can is said not to
		return invalid("%d messages of %d bytes in flight: want at most %d bytes together on a connection; fewer of them, or smaller ones", e.InFlight, e.Size, maxHeld)
	case e.Message != nil && e.Conns > maxAwaited/e.InFlight:
		return invalid("%d connections with %d messages of yours in flight: want at most %d together", e.Conns, e.InFlight, maxAwaited)
	case e.Rate < 0 || e.Warmup < 0 || e.Duration < 0:
		return invalid("rate, warm-up and duration must not be negative")
	}
	return nil
}

// Run runs the scenario until it is over or ctx ends; then the report holds what
// was measured so far, and Interrupted is set. The report is nil only when
// nothing could be begun. Errors wrap [ErrOptions], errors.ErrUnsupported on systems
// without a poller, or are the system's. That connections fail is no error: the
// report says so.
func (e Echo) Run(ctx context.Context) (*Report, error) {
	if err := e.normalize(); err != nil {
		return nil, err
	}
	stamp, err := stampFor(&e.Size, e.Text, e.Message)
	if err != nil {
		return nil, err
	}
	e.Rate = e.Part.rate(e.Rate)
	var scripts []*echo
	d, err := newDriver(ctx, "echo", e.Options, e.Size, func(l *loop) script {
		s := newEcho(l, &e, newSpeaker(l, stamp, e.Message, e.InFlight))
		scripts = append(scripts, s)
		return s
	})
	if err != nil {
		return nil, err
	}
	d.connect()
	if d.report.Connections.Opened > 0 && d.ctx.Err() == nil {
		d.report.Echo = e.measure(d, scripts)
	}
	return d.finish()
}

// measure warms up, measures, and waits for the replies that are under way.
func (e *Echo) measure(d *driver, scripts []*echo) *EchoReport {
	connections := 0
	d.each(func(l *loop) { connections += scripts[l.index].takers() })
	begin := d.plan.clock()
	d.each(func(l *loop) { scripts[l.index].begin(begin, connections) })
	if e.Warmup > 0 {
		d.wait("warm-up", e.Warmup, nil)
	}
	before := d.cpuMark()
	from := d.plan.clock()
	d.each(func(l *loop) { scripts[l.index].measureFrom(from) })
	d.wait("measure", e.Duration, nil)
	to := d.plan.clock()
	d.each(func(l *loop) { scripts[l.index].drainFrom(to) })
	after := d.cpuMark()

	d.drain(func() uint64 { return d.sum(func(l *loop) uint64 { return scripts[l.index].pending() }) })
	r := &EchoReport{InFlight: e.InFlight, Size: e.Size, Text: e.Text, Message: e.Message.text(), Rate: e.Rate, Measured: time.Duration(to - from)}
	corrected, raw := newLatency(), newLatency()
	d.each(func(l *loop) {
		s := scripts[l.index]
		s.finish()
		corrected.merge(s.corrected)
		raw.merge(s.raw)
		r.Messages += s.measured
		r.Late += s.late
		r.Unanswered += s.unanswered
	})
	r.PerSecond = float64(r.Messages) / r.Measured.Seconds()
	if r.Latency = raw.whole(); e.Rate > 0 {
		plain := r.Latency
		r.Latency, r.Uncorrected = corrected.whole(), &plain
	}
	r.ServerCPU, r.ClientCPU, r.ClientBound = d.cpuSince(before, after, r.Measured, r.Messages)
	return r
}
