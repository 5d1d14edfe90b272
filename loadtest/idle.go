package loadtest

import (
	"context"
	"time"
)

// Idle opens connections and holds them: connections a second, handshake
// latency, memory a connection. Pings are answered, other messages ignored.
type Idle struct {
	Options
	Hold   time.Duration // how long after the last handshake; 0 = 10 s, negative = not at all
	Verify bool          // send one message over each, and want it echoed, before the hold
}

// IdleReport is what [Idle] measured besides the connections.
type IdleReport struct {
	Held     time.Duration `json:"held_ns"`
	Standing int           `json:"standing"` // connections open at the end
	Pings    uint64        `json:"pings"`    // answered
	Verified *Verified     `json:"verified,omitempty"`
	Memory   *Memory       `json:"memory,omitempty"`
}

// Verified is the outcome of an echo over each connection.
type Verified struct {
	Echoed int           `json:"echoed"` // the message came back as it was
	Silent int           `json:"silent"` // nothing came back; other connections are among the failures
	Took   time.Duration `json:"took_ns"`
}

// Run runs the scenario; see [Echo.Run] for ctx, the report and the errors.
func (i Idle) Run(ctx context.Context) (*Report, error) {
	if i.Hold == 0 {
		i.Hold = 10 * time.Second
	}
	stamp, err := newStamp(MinEchoSize(false), false)
	if err != nil {
		return nil, err
	}
	var scripts []*idle
	d, err := newDriver(ctx, "idle", i.Options, maxIdlePayload, func(l *loop) script {
		s := &idle{loop: l, stamp: stamp}
		scripts = append(scripts, s)
		return s
	})
	if err != nil {
		return nil, err
	}
	before := d.memory()
	d.connect()
	opened := d.memory()
	r := new(IdleReport)
	d.report.Idle = r
	if i.Verify && d.ctx.Err() == nil {
		r.Verified = verify(d, scripts)
	}
	held := time.Now()
	if i.Hold > 0 && d.report.Connections.Opened > 0 {
		d.wait("hold", i.Hold, nil)
	}
	r.Held = time.Since(held)
	d.each(func(l *loop) {
		r.Standing += l.open
		r.Pings += l.pings
	})
	r.Memory = newMemory(before, opened, d.memory(), d.report.Connections.Opened, r.Standing)
	return d.finish()
}

// maxIdlePayload bounds what a server may push at a connection that ignores it.
const maxIdlePayload = 16 << 20
