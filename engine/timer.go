package engine

import "github.com/roost-ws/roost/codec"

// timer finds out which of c's deadlines came by now, when the turn began, acts, and
// arms the next one. The wheel is lazy: a visit may find that nothing is due. Holder of
// the turn only.
func (c *Conn) timer(now uint32) {
	p := c.policy
	quiet := now - min(c.seen.Load(), now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.is(flagKilled) {
		return // its descriptor may be net/http's
	}
	switch c.ReadyState() {
	case Connecting:
		c.limit(now, quiet, p.handshake, (*Conn).late)
		return
	case Closing:
		c.limit(now, quiet, p.closing, (*Conn).kill)
		return
	}
	if c.is(flagTLS) && quiet > 0 {
		c.ext.tls.trim()
	}
	if c.is(flagBlocked) && p.stall != 0 {
		c.limit(now, now-min(c.out.since, now), p.stall, (*Conn).stalled)
	}
	if c.is(flagHeld) {
		// A paused connection hears nothing: its silence is ours.
		c.seen.Store(c.loop.now.Load())
		quiet = 0
	}
	switch {
	case p.idle != 0 && (p.ping == 0 || p.idle <= p.ping):
		c.limit(now, quiet, p.idle, (*Conn).idled)
	case p.ping != 0:
		c.heartbeat(now, quiet)
	}
}

// limit acts when the time that has passed reaches most, and else comes back
// when it will.
func (c *Conn) limit(now, passed, most uint32, act func(*Conn)) {
	if passed >= most {
		act(c)
		return
	}
	c.loop.arm(c, now+most-passed)
}

func (c *Conn) idled() {
	if c.ReadyState() == Open {
		c.sendClose(c.policy.idleCode, "idle")
	}
}

func (c *Conn) stalled() {
	c.blame(ErrStalled)
	c.kill()
}

// heartbeat pings a peer that has been quiet for an interval, and ends the
// connection when nothing came for another one after that or, where there is an idle
// timeout, for what is left of it. Traffic of any kind is a sign of life. The ping
// restarts the count, so that a process that was stopped for long still gives its
// peers the time to answer.
func (c *Conn) heartbeat(now, quiet uint32) {
	p := c.policy
	switch {
	case !c.is(flagPinged):
		c.limit(now, quiet, p.ping, (*Conn).sendPing)
	case p.idle != 0:
		c.limit(now, quiet, p.idle-p.ping, (*Conn).idled)
		c.loop.arm(c, now+p.ping) // to ping again when this one is answered
	default:
		c.limit(now, quiet, p.ping, (*Conn).kill)
	}
}

func (c *Conn) sendPing() {
	c.set(flagPinged)
	now := c.loop.now.Load()
	c.seen.Store(now)
	c.push(codec.Header{Opcode: codec.Ping, Fin: true}, nil, nil)
	c.heartbeat(now, 0)
}

// begin arms the first of an open connection's deadlines. Under mu.
func (c *Conn) begin() {
	now := c.loop.e.now()
	c.seen.Store(now)
	if p := c.policy; p.idle != 0 || p.ping != 0 {
		first := p.idle
		if p.ping != 0 && (first == 0 || p.ping < first) {
			first = p.ping
		}
		c.loop.arm(c, now+first)
	}
}
