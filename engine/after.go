package engine

import (
	"slices"

	"github.com/roost-ws/roost/codec"
)

// after is the messages that wait until one in fragments is whole: between its
// fragments there is room for control frames only (RFC 6455 section 5.4).
type after struct {
	messages []waiting
	size     int // bytes
}

// waiting is one of them: a frame shared by many, or a payload from the loop's bytes.
type waiting struct {
	frame   *frame
	header  codec.Header
	payload []byte
	done    func(error)
}

// waitAfter keeps a message back. Under mu.
func (c *Conn) waitAfter(h codec.Header, payload []byte, done func(error)) {
	kept := append(c.loop.bytes.Get(len(payload))[:0], payload...)
	c.keepAfter(waiting{header: h, payload: kept, done: done}, len(payload))
}

// partWaits reports whether a message waits of which the end is still to be sent.
func (c *Conn) partWaits() bool {
	if !c.is(flagAfter) {
		return false
	}
	waiting := c.ext.after.messages
	for i := len(waiting) - 1; i >= 0; i-- {
		if waiting[i].frame == nil {
			return !waiting[i].header.Fin
		}
	}
	return false
}

func (c *Conn) keepAfter(w waiting, size int) {
	x := c.extra()
	if x.after == nil {
		c.set(flagAfter)
		x.after = new(after)
	}
	a := x.after
	a.messages = append(a.messages, w)
	a.size += size
	if c.unsent() > c.policy.highWater {
		c.set(flagFull) // Drain is told of, though nothing is in the outbox yet
	}
}

// goOn sends what waited, now that the message before it is whole. Under mu, and
// under the deflate's mu where there is one, so that nothing comes between.
func (c *Conn) goOn() {
	if !c.is(flagAfter) {
		return
	}
	a := c.ext.after
	for len(a.messages) > 0 {
		if c.ReadyState() != Open {
			return // at the end abandon tells of the rest, after what was sent before
		}
		i := a.next(c.is(flagFragment))
		if i < 0 {
			return
		}
		w := a.take(i)
		if w.frame != nil {
			a.size -= len(w.frame.b)
			c.sending(w.frame)
			c.outbox().share(w.frame, 0, &c.loop.bytes)
			w.frame.release()
			c.queued()
			continue
		}
		a.size -= len(w.payload)
		if !w.header.Fin && c.is(flagDeflate) {
			c.ext.deflate.compress = false // the rest of it is as this first fragment
		}
		c.pushPart(w.header, w.payload, w.done)
		c.loop.bytes.Put(w.payload)
	}
	c.unset(flagAfter)
	c.ext.after = nil
	if c.is(flagFull) {
		c.kick(markKick) // a turn's end finds out whether all is with the kernel
	}
}

// next is the first message that may go, -1 for none: with a fragment on its way, only
// what was sent to the connection alone, which is the next fragment.
func (a *after) next(fragment bool) int {
	for i := range a.messages {
		if !fragment || a.messages[i].frame == nil {
			return i
		}
	}
	return -1
}

func (a *after) take(i int) waiting {
	w := a.messages[i]
	if i == 0 {
		a.messages = a.messages[1:]
	} else {
		a.messages = slices.Delete(a.messages, i, i+1)
	}
	return w
}

// abandon gives up what waits, at c's end. Under mu.
func (c *Conn) abandon() {
	if !c.is(flagAfter) {
		return
	}
	c.unset(flagAfter)
	for i := range c.ext.after.messages {
		c.dropAfter(&c.ext.after.messages[i])
	}
	c.ext.after = nil
}

func (c *Conn) dropAfter(w *waiting) {
	if w.frame != nil {
		w.frame.release()
		return
	}
	c.loop.bytes.Put(w.payload)
	if w.done != nil {
		o := c.outbox()
		o.acks = append(o.acks, ack{w.done, ErrUnsent})
	}
}
