package engine

import (
	"math/bits"
	"sync"
)

const wheelSlots = 512 // a rotation is 51.2 s

// wheel is a hashed timing wheel: one slot a tick, each a list of connections
// linked through themselves, so that arming allocates nothing and an idle
// connection has no timer of its own (R1).
//
// It is lazy. Traffic moves nothing: when a connection's tick comes it gets a
// turn, finds out what is really due, and arms itself again. So a connection is
// in the wheel once, at the earliest of its deadlines; what lies more than a
// rotation ahead is passed over until its time.
type wheel struct {
	mu    sync.Mutex // a leaf; also guards Conn.next, prev and due
	at    uint32     // the last tick that advance saw
	until uint32     // what the loop sleeps until; 0 is for ever
	slots [wheelSlots]*Conn
	used  [wheelSlots / 64]uint64 // a bit for each slot that is not empty

	expired []*Conn // the loop's
}

// arm sees to it that c is visited at tick due or before. It reports whether the
// loop sleeps longer than that and must be woken. Any goroutine.
func (w *wheel) arm(c *Conn, due uint32) (early bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	due = max(due, w.at+1)
	if c.due != 0 {
		if c.due <= due {
			return false
		}
		w.unlink(c)
	}
	w.link(c, due)
	return w.until == 0 || due < w.until
}

// disarm takes c out. Any goroutine.
func (w *wheel) disarm(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.due != 0 {
		w.unlink(c)
	}
}

func (w *wheel) link(c *Conn, due uint32) {
	slot := due % wheelSlots
	head := w.slots[slot]
	c.due, c.next = due, head
	if head != nil {
		head.prev = c
	}
	w.slots[slot] = c
	w.used[slot/64] |= 1 << (slot % 64)
}

func (w *wheel) unlink(c *Conn) {
	slot := c.due % wheelSlots
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		w.slots[slot] = c.next
		if c.next == nil {
			w.used[slot/64] &^= 1 << (slot % 64)
		}
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.next, c.prev, c.due = nil, nil, 0
}

// advance moves to tick now and returns the connections whose tick came, each
// no longer in the wheel. The slice is good until the next call. Loop only.
func (w *wheel) advance(now uint32) []*Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.expired)
	w.expired = w.expired[:0]
	// After a long sleep each slot is visited once, not once for each rotation.
	for t := max(w.at+1, now-min(now, wheelSlots-1)); t <= now; t++ {
		for c := w.slots[t%wheelSlots]; c != nil; {
			next := c.next
			if c.due <= now {
				w.unlink(c)
				w.expired = append(w.expired, c)
			}
			c = next
		}
	}
	w.at = now
	return w.expired
}

// next returns the tick of the next slot that is not empty, and remembers that
// the loop sleeps until then. Loop only.
func (w *wheel) next() (uint32, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ahead := uint32(1); ahead <= wheelSlots; {
		slot := (w.at + ahead) % wheelSlots
		if word := w.used[slot/64] >> (slot % 64); word != 0 {
			ahead += uint32(bits.TrailingZeros64(word))
			w.until = w.at + ahead
			return w.until, true
		}
		ahead += 64 - slot%64
	}
	w.until = 0
	return 0, false
}
