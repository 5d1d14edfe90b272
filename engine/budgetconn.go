package engine

import (
	"sync"
	"unsafe"

	"github.com/roost-ws/roost/codec"
)

// A connection's part in the memory budget.

// chokes are a loop's connections that are not read for the budget's sake.
type chokes struct {
	mu    sync.Mutex // a leaf
	conns []*Conn
}

// choke stops reading c, which holds memory, while there is pressure. It reports
// whether it did. Under mu.
func (c *Conn) choke() bool {
	b := &c.loop.e.budget
	if b.level.Load() == calm || c.ReadyState() != Open || c.is(flagDeaf|flagBroken) || c.hold&holdMemory != 0 {
		return false
	}
	b.paused.Add(1)
	c.holdFor(holdMemory)
	ch := &c.loop.chokes
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.conns = append(ch.conns, c)
	if b.level.Load() == calm {
		c.loop.wake() // it may have let all others read on just before
	}
	return true
}

// chokesReader is choke for the holder of the turn.
func (c *Conn) chokesReader() bool {
	if c.loop.weigh(); c.loop.e.budget.level.Load() == calm {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.choke()
}

// release lets all of them be read again.
func (ch *chokes) release(l *loop) {
	ch.mu.Lock()
	conns := ch.conns
	ch.conns = nil
	ch.mu.Unlock()
	for _, c := range conns {
		c.mu.Lock()
		c.unhold(holdMemory)
		c.mu.Unlock()
	}
	l.e.budget.paused.Add(-int64(len(conns)))
}

// weight is what c holds, in bytes. What it shares with others counts in full: it
// says how far the peer is behind. Loop only.
func (c *Conn) weight() (n int) {
	if c.work.CompareAndSwap(0, held) { // else its turn's holder has the read side (R3)
		if c.in != nil {
			n = c.in.dec.Held() + cap(c.in.rest)
		}
		c.letTurn()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n += c.unsent()
	if c.out != nil {
		n += c.out.charged
	}
	if c.is(flagDeflate) {
		n += int(c.ext.deflate.held.Load())
	}
	return n
}

// letTurn ends a turn that only looked.
func (c *Conn) letTurn() {
	if !c.work.CompareAndSwap(held, 0) {
		c.loop.requeue(c)
	}
}

// unload closes a connection for the memory that it holds: with a close frame where
// little is before it, else at once. It reports whether it did. Loop only.
func (c *Conn) unload() bool {
	if c.work.CompareAndSwap(0, held) {
		defer c.letTurn()
		c.dropInbound()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.is(flagKilled) || c.ReadyState() == Closed:
		return false
	case c.ReadyState() != Open:
		c.blame(c.loop.e.budget.err())
		c.kill()
		return true
	}
	c.dropOut()
	return true
}

// dropOut is unload's end. Under mu, in state Open.
func (c *Conn) dropOut() {
	c.hangUp(codec.CodeTryAgainLater, "out of memory", c.loop.e.budget.err())
	c.set(flagFailed) // what it still sends is dropped, and FIN follows
	if c.unsent() > corkSize {
		c.kill()
		c.out.reset(&c.loop.bytes) // now: thousands may be before it in the run queue
		c.unset(flagBlocked)
	}
	c.rearm()
	c.kick(markRead)
}

// charge counts the memory of o's list of chunks, which of many small shared frames is
// the most. Only an outbox that had to wait is charged.
func (o *outbox) charge(b *codec.Bytes) {
	if n := cap(o.chunks) * int(unsafe.Sizeof(chunk{})); n != o.charged {
		b.Hold(n - o.charged)
		o.charged = n
	}
}

func (o *outbox) uncharge(b *codec.Bytes) {
	if o.charged != 0 {
		b.Hold(-o.charged)
		o.charged = 0
	}
}

// account counts the memory of z's windows. Under z.mu, or at the end.
func (z *deflate) account(b *codec.Bytes, at *int32, w *codec.Window) {
	n := int32(0)
	if w != nil {
		n = int32(w.Held())
	}
	if n != *at {
		b.Hold(int(n - *at))
		z.held.Add(n - *at)
		*at = n
	}
}

// end gives the account of z's windows back. By the holder of the last turn, when the
// connection is closed for those who send.
func (z *deflate) end(b *codec.Bytes) {
	z.account(b, &z.got, nil)
	z.mu.Lock()
	defer z.mu.Unlock()
	z.account(b, &z.sent, nil)
}

// overBudget is what output that has to wait means for the budget. Under mu.
func (c *Conn) overBudget() {
	if c.loop.e.budget.limit == 0 {
		return
	}
	c.out.charge(&c.loop.bytes)
	c.loop.weigh()
	b := &c.loop.e.budget
	if c.ReadyState() == Open && !c.is(flagSentEnd) && b.used.Load() >= b.limit/16*17 {
		c.dropOut() // the loops do not close others fast enough
		b.shed.Add(1)
		return
	}
	c.choke()
}
