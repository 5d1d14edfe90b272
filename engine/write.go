package engine

import (
	"crypto/rand"
	"io"
	"syscall"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
)

// The write side. All of it is under Conn.mu (R3).

// push queues or writes one frame.
func (c *Conn) push(h codec.Header, data []byte, done func(error)) {
	if h.Masked || c.policy.mask {
		h.Masked, h.Mask = true, newMask()
	}
	if done == nil && !c.is(flagTLS) && (c.out == nil || len(data) > largeFrame && !c.is(flagBlocked) && c.out.fresh()) {
		c.loop.stats.sent(1, len(data))
		c.writeNow(h, data)
		return
	}
	out := c.outbox()
	out.messages++
	out.payload += len(data)
	out.add(h, data, &c.loop.bytes)
	if done != nil {
		out.mark(done, &c.loop.bytes)
	}
	c.queued()
}

// fresh reports whether nothing waits in o, not even a Done function.
func (o *outbox) fresh() bool {
	return o.size == 0 && (len(o.chunks) == 0 || len(o.chunks) == 1 && o.chunks[0].done == nil)
}

// outbox returns c's outbox, made if need be.
func (c *Conn) outbox() *outbox {
	if c.out == nil {
		c.out = c.loop.outs.get()
	}
	return c.out
}

// queued looks after an outbox that grew: a turn's output waits for the turn's
// end, unless it is much; anything else only while the kernel is full.
func (c *Conn) queued() {
	if f := c.flags.Load(); f&flagBlocked == 0 && (f&flagCorked == 0 || c.out.size >= corkMax) {
		c.flush()
	}
	if !c.is(flagCorked) {
		c.letGo()
	}
	c.highWater()
}

// letGo gives an outbox back that became empty outside of a turn. What Done
// functions there are to call waits for a turn.
func (c *Conn) letGo() {
	if c.out == nil || !c.out.empty() {
		return
	}
	if len(c.out.acks) > 0 {
		c.kick(markKick)
		return
	}
	c.out.reset(&c.loop.bytes)
	c.loop.outs.put(c.out)
	c.out = nil
}

// smallFrame is up to where copying a payload behind its header is cheaper than
// a writev of two slices.
const smallFrame = 4 << 10

// largeFrame is from where writing a payload at once, from where it lies, is cheaper
// than copying it behind a turn's output.
const largeFrame = 8 << 10

// writeNow writes a frame outside of any turn, with nothing queued before it, and
// queues what the kernel does not take.
func (c *Conn) writeNow(h codec.Header, data []byte) {
	var n int
	var err error
	size := h.Size() + len(data)
	if size <= smallFrame || h.Masked {
		b := c.loop.bytes.Get(size)
		n, err = c.loop.sys.Write(int(c.fd), codec.AppendFrame(b[:0], h, data))
		c.loop.bytes.Put(b)
	} else {
		v := c.loop.vecs.get()
		iov := sock.Vec(sock.Vec(v.iov[:0], codec.AppendHeader(v.head[:0], h)), data)
		n, err = c.loop.sys.Writev(int(c.fd), iov)
		c.loop.vecs.put(v, iov)
	}
	if err != nil && err != syscall.EAGAIN {
		c.broken()
		return
	}
	if n == size {
		return
	}
	// An edge will tell when there is room again.
	c.outbox().add(h, data, &c.loop.bytes)
	c.out.wrote(n, &c.loop.bytes)
	c.out.settle(&c.loop.bytes)
	c.blocked()
	c.highWater()
}

// flush writes what is queued.
func (c *Conn) flush() {
	if c.out == nil || c.out.empty() || c.is(flagBroken) {
		return
	}
	switch c.writeOut() {
	case nil:
		if c.is(flagBlocked) {
			c.unset(flagBlocked)
		}
		c.rearm() // a pause no longer needs to be watched (R6)
	case syscall.EAGAIN:
		c.blocked()
	default:
		c.broken()
	}
}

func (c *Conn) writeOut() error {
	if c.is(flagTLS) {
		return c.out.writeTLS(int(c.fd), c.ext.tls, &c.loop.bytes)
	}
	return c.out.write(c.loop, int(c.fd))
}

// blocked notes that the kernel took no more. A paused connection is out of the
// poller and must be put back to hear when it does.
func (c *Conn) blocked() {
	if !c.is(flagBlocked) {
		c.set(flagBlocked)
		c.out.since = c.loop.e.now()
		if c.policy.stall != 0 {
			c.loop.arm(c, c.out.since+c.policy.stall)
		}
	}
	c.overBudget()
	c.rearm()
}

// broken notes that the descriptor failed under a write. What the peer sent
// before may still be there: the turn that it asks for reads to the end (R7).
func (c *Conn) broken() {
	c.set(flagBroken)
	if c.out != nil {
		c.out.reset(&c.loop.bytes)
	}
	if c.ReadyState() == Open {
		c.closing()
	}
	c.rearm() // a paused connection is not watched, and is read again now
	c.kick(markRead | markHangup)
}

func newMask() (key [4]byte) {
	if _, err := io.ReadFull(rand.Reader, key[:]); err != nil {
		panic(err) // crypto/rand never fails on the systems that have a poller
	}
	return key
}
