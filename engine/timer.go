package engine

import "github.com/roost-ws/roost/codec"

// timer finds out which of c's deadlines came, acts, and arms the next one. The
// wheel is lazy: a visit may find that nothing is due. Holder of the turn only.
func (c *Conn) timer() {
	now, p := c.loop.now.Load(), c.policy
	quiet := now - min(c.seen.Load(), now)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.ReadyState() {
	case Connecting:
		c.limit(quiet, p.handshake, (*Conn).late)
		return
	case Closing:
		c.limit(quiet, p.closing, (*Conn).kill)
		return
	}
	if c.is(flagTLS) && quiet > 0 {
		c.ext.tls.trim()
	}
	if c.is(flagBlocked) && p.stall != 0 {
		c.limit(now-min(c.out.since, now), p.stall, (*Conn).stalled)
	}
	if c.is(flagHeld) {
		// A paused connection hears nothing: its silence is ours.
		c.seen.Store(now)
		quiet = 0
	}
	switch {
	case p.idle != 0 && (p.ping == 0 || p.idle <= p.ping):
		c.limit(quiet, p.idle, (*Conn).idled)
	case p.ping != 0:
		c.heartbeat(quiet)
	}
}

// limit acts when the time that has passed reaches most, and else comes back
// when it will.
func (c *Conn) limit(passed, most uint32, act func(*Conn)) {
	if passed >= most {
		act(c)
		return
	}
	c.loop.arm(c, c.loop.now.Load()+most-passed)
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
func (c *Conn) heartbeat(quiet uint32) {
	p := c.policy
	switch {
	case !c.is(flagPinged):
		c.limit(quiet, p.ping, (*Conn).sendPing)
	case p.idle != 0:
		c.limit(quiet, p.idle-p.ping, (*Conn).idled)
	default:
		c.limit(quiet, p.ping, (*Conn).kill)
	}
}

func (c *Conn) sendPing() {
	c.set(flagPinged)
	c.seen.Store(c.loop.now.Load())
	c.push(codec.Header{Opcode: codec.Ping, Fin: true}, nil, nil)
	c.heartbeat(0)
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
