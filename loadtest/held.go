package loadtest

import "github.com/roost-ws/roost/codec"

// held is what the kernel cut in two: a header block or a frame that has not
// ended, a write that it would not take whole.
type held struct {
	dec  codec.Decoder
	head []byte
	out  []byte
	sent int // of out, written already
}

func (l *loop) hold(c *conn) *held {
	if c.held != nil {
		return c.held
	}
	if n := len(l.spare); n > 0 {
		c.held, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		c.held = new(held)
	}
	return c.held
}

// maxSpare is how many unused held are kept for the next that needs one.
const maxSpare = 64

func (l *loop) unhold(c *conn) {
	h := c.held
	c.held = nil
	h.dec.Reset(&l.bytes)
	l.bytes.Put(h.head)
	l.bytes.Put(h.out)
	h.head, h.out, h.sent = nil, nil, 0
	if len(l.spare) < maxSpare {
		l.spare = append(l.spare, h)
	}
}

// settle lets go of a held that holds nothing any more.
func (l *loop) settle(c *conn) {
	h := c.held
	h.dec.Release(&l.bytes)
	if h.dec.Idle() && len(h.head) == 0 && len(h.out) == 0 {
		l.unhold(c)
	}
}
