package engine

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/roost-ws/roost/codec"
)

// policy is what many connections have in common: limits in the units of the hot
// path, made once from options. It is only read.
type policy struct {
	srv       *Server // nil for what was dialled
	limits    codec.Limits
	deflated  codec.Limits // the same with permessage-deflate
	deflate   *DeflateOptions
	flate     *codec.Flate // nil without deflate
	threshold int          // bytes
	autoPong  bool
	maxPongs  int  // that wait for a full kernel; 0 is no limit
	mask      bool // we are the client
	slow      SlowPolicy
	slowCode  CloseCode // 0 ends without a close frame
	idleCode  CloseCode
	maxOutbox int // bytes
	highWater int // bytes
	cork      int // bytes of a turn's output below which no limit is near
	maxHead   int // bytes

	// Ticks; 0 is off, which handshake and closing never are.
	handshake, idle, ping, closing, stall uint32
}

// SlowPolicy is what happens to a message that would exceed MaxOutbox.
type SlowPolicy uint8

const (
	// SlowClose ends the connection: it cannot miss a message in silence. SlowCode says
	// how.
	SlowClose SlowPolicy = iota
	// SlowDrop drops the message; Send returns an *OutboxError.
	SlowDrop
)

const (
	defaultMaxPayload   = 100 << 20
	defaultMaxFragments = 131072
	defaultMaxHeader    = 8 << 10
	defaultMaxOutbox    = 16 << 20
	defaultHighWater    = 1 << 20
	defaultMaxPongs     = 60
	defaultHandshake    = 10 * time.Second
	defaultClosing      = 30 * time.Second
)

// or is v, or def for the zero value that options have when nothing was chosen.
// Below zero means no limit, which is 0 inside.
func or[T int | int64](v, def T) T {
	switch {
	case v < 0:
		return 0
	case v == 0:
		return def
	}
	return v
}

// span is or for limits that must end some day.
func span(v, def time.Duration) time.Duration {
	switch {
	case v < 0:
		return maxTimeout
	case v == 0:
		return def
	}
	return v
}

func newPolicy(s *Server, o *ConnOptions) policy {
	maxHead := o.MaxHeader
	if maxHead < 0 {
		maxHead = maxReadBuffer // the read buffer's size is a limit in any case
	}
	maxHead = or(maxHead, defaultMaxHeader)
	maxOutbox := o.MaxOutbox
	if maxOutbox < 0 {
		maxOutbox = int(^uint(0) >> 2)
	}
	maxOutbox = or(maxOutbox, defaultMaxOutbox)
	p := policy{
		srv: s,
		limits: codec.Limits{
			MaxPayload:   or(o.MaxPayload, defaultMaxPayload),
			MaxFragments: or(o.MaxFragments, defaultMaxFragments),
			SkipUTF8:     o.SkipUTF8Validation,
		},
		autoPong:  !o.DisableAutoPong,
		maxPongs:  or(o.MaxPendingAutoPongs, defaultMaxPongs),
		slow:      o.SlowPolicy,
		slowCode:  o.SlowCode,
		idleCode:  cmp.Or(o.IdleCode, CodeGoingAway),
		maxOutbox: maxOutbox,
		highWater: min(defaultHighWater, maxOutbox/2),
		cork:      min(corkMax, defaultHighWater, maxOutbox/2) - codec.MaxHeader,
		maxHead:   maxHead,
		handshake: ticks(span(o.HandshakeTimeout, defaultHandshake)),
		idle:      ticks(o.IdleTimeout),
		ping:      ticks(o.PingInterval),
		closing:   ticks(span(o.CloseTimeout, defaultClosing)),
		stall:     ticks(o.WriteTimeout),
	}
	p.withDeflate(o.PerMessageDeflate, o.DeflateConcurrency)
	return p
}

func (p *policy) withDeflate(d *DeflateOptions, concurrency int) {
	p.deflated = p.limits
	if d == nil {
		return
	}
	p.deflated.Deflate = true
	p.deflate = d
	p.threshold = or(d.Threshold, defaultThreshold)
	p.flate = codec.NewFlate(max(1, d.Level), concurrency)
}

// left is told that c is gone.
func (p *policy) left(c *Conn) {
	if p.srv != nil {
		p.srv.left(c)
	}
}

// remoteKey is what connections of one peer are counted under; the zero value is
// not counted.
type remoteKey = netip.Addr
