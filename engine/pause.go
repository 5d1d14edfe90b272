package engine

import (
	"github.com/roost-ws/roost/poller"
)

// Pause stops reading: no message, ping or close of the peer is noticed until
// Resume, and the peer finds its sends blocked when the kernel's buffers are
// full. Within Handler.Message nothing more is delivered after it returns. On a
// connection that is closed it does nothing.
func (c *Conn) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.ReadyState(); s == Open || s == Closing {
		c.holdFor(holdUser)
	}
}

// Resume ends a Pause.
func (c *Conn) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unhold(holdUser)
}

// IsPaused reports whether Pause was called and Resume not yet.
func (c *Conn) IsPaused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hold&holdUser != 0
}

// holdReader pauses for a NetConn that nobody reads from, or ends that.
func (c *Conn) holdReader(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !on {
		c.unhold(holdUnread)
	} else if s := c.ReadyState(); s == Open || s == Closing {
		c.holdFor(holdUnread)
	}
}

// holdFor adds a reason not to read (R6). Under mu.
func (c *Conn) holdFor(why hold) {
	if c.hold&why == why {
		return
	}
	c.hold |= why
	c.set(flagHeld)
	c.rearm()
}

// unhold takes a reason away, and lets reading go on after the last. Under mu.
func (c *Conn) unhold(why hold) {
	if c.hold&why == 0 {
		return
	}
	c.hold &^= why
	if c.hold != 0 {
		return
	}
	c.unset(flagHeld)
	if c.ReadyState() == Open {
		c.seen.Store(c.loop.e.now()) // the silence until here was ours
	}
	c.rearm()
	c.kick(markKick) // what was read before the pause waits for no event
}

// wants is what the poller should watch. Output is watched together with input
// from the start, so that a full socket costs no system call. Under mu.
func (c *Conn) wants() poller.Ready {
	switch {
	case c.fd < 0:
		return 0
	case c.reads():
		return poller.Readable | poller.Writable
	case c.is(flagBlocked):
		return poller.Writable
	}
	return 0
}

// rearm makes the poller watch what c wants. Under mu.
func (c *Conn) rearm() {
	want := c.wants()
	if want == c.armed {
		return
	}
	if err := c.loop.poll.Update(int(c.fd), c.armed, want); err != nil {
		// Out of memory or of watches: without events the connection is lost.
		c.loop.e.log.Error("poller update failed: connection terminated", "err", err)
		c.kill()
		return
	}
	c.armed = want
}

// highWater stops reading from a peer for which too much is queued: what it asks
// for would only be added. A client goes on reading, for if both ends waited for
// the other to read, they would wait for ever. Under mu, after output was queued.
func (c *Conn) highWater() {
	if c.unsent() > c.policy.highWater {
		c.set(flagFull)
	}
	if c.out != nil && c.out.size > c.policy.highWater {
		if !c.policy.mask {
			c.holdFor(holdOutput)
		}
	}
}

// drained reports, once, that output which was above the high-water mark is all
// with the kernel, and reads on. Under mu.
func (c *Conn) drained() bool {
	if !c.is(flagFull) || c.out != nil && !c.out.empty() {
		return false
	}
	c.unhold(holdOutput)
	if c.is(flagAfter) {
		return false // the rest waits for a message's end, and goOn asks for a turn
	}
	c.unset(flagFull)
	return c.ReadyState() == Open
}
