package engine

import (
	"syscall"

	"github.com/roost-ws/roost/codec"
)

// receive reads once, decodes, and calls the handler. It returns the marks under
// which there may be more to read.
func (s *scratch) receive(c *Conn, marks uint32) (again uint32) {
	if c.rests() && !c.waits() {
		s.decodeRest(c)
	}
	if marks&(markRead|markHangup|markKick) == 0 || !c.reads() {
		return 0
	}
	if c.rests() && !c.is(flagDeaf) {
		if c.waits() {
			return 0 // resuming asks for a turn
		}
		return marks & (markRead | markHangup)
	}
	if c.in != nil {
		if c.loop.e.budget.limit != 0 && c.chokesReader() {
			return 0
		}
		// Most of a long message goes straight to where it will be whole.
		if tail := c.in.dec.Tail(&c.loop.bytes); tail != nil && !c.is(flagDeaf) {
			return s.receiveTail(c, tail, marks)
		}
	}
	n, ok := c.read(s.buf)
	if !ok {
		return 0
	}
	s.n.bytesIn += n
	if !c.is(flagDeaf) {
		s.decode(c, s.buf[:n])
	}
	return more(n, len(s.buf), marks)
}

// receiveTail is receive for the middle of a long message.
func (s *scratch) receiveTail(c *Conn, tail []byte, marks uint32) (again uint32) {
	n, ok := c.read(tail)
	if !ok {
		return 0
	}
	s.n.bytesIn += n
	if err := c.in.dec.Filled(n, c.limits()); err != nil {
		c.violated(err)
		return more(n, len(tail), marks)
	}
	s.decode(c, nil)
	return more(n, len(tail), marks)
}

// more says under which marks to read again. A read that did not fill its buffer
// has drained the socket (epoll(7)), but says nothing of a FIN behind the data:
// after a hang-up one reads until the end shows itself (R7).
func more(n, room int, marks uint32) uint32 {
	if n == room || marks&markHangup != 0 {
		return markRead | marks&markHangup
	}
	return 0
}

// reads reports whether c is to be read. What a peer still sends after its close
// frame, or after a violation, is read and dropped also on a paused connection,
// that its FIN be seen; so is what came before the descriptor failed.
func (c *Conn) reads() bool {
	f := c.flags.Load()
	return f&flagEOF == 0 && (f&flagHeld == 0 || f&(flagGotClose|flagFailed|flagBroken) != 0)
}

// waits reports whether what was read is to be kept back. When the descriptor has
// failed nobody is spared by a pause, and the end comes behind what is left (R7).
func (c *Conn) waits() bool { return c.flags.Load()&(flagHeld|flagBroken) == flagHeld }

// rests reports whether a pause left undecoded bytes.
func (c *Conn) rests() bool { return c.in != nil && len(c.in.rest) > 0 }

// read reads into p. Not ok means that nothing came, and the end, if that is
// what it was, is noted.
func (c *Conn) read(p []byte) (n int, ok bool) {
	var err error
	if c.is(flagTLS) {
		n, err = c.ext.tls.read(p)
	} else {
		n, err = c.loop.sys.Read(int(c.fd), p)
	}
	if n > 0 {
		// Not back: where a call from outside began the turn, the loop's clock is behind.
		if now := c.loop.now.Load(); c.seen.Load() < now && c.ReadyState() == Open {
			c.seen.Store(now)
		}
		return n, true
	}
	if err == syscall.EAGAIN {
		return 0, false
	}
	c.mu.Lock()
	c.set(flagEOF)
	if err != nil {
		// Reset, timed out, unreachable: nothing can go out either. That a peer is
		// gone is no error to the handler; Close says it with CodeAbnormal.
		c.set(flagBroken)
	}
	if c.ReadyState() == Open {
		c.closing()
	}
	c.mu.Unlock()
	return 0, false
}

// limits are what c allows its peer.
func (c *Conn) limits() *codec.Limits {
	if c.is(flagDeflate) {
		return &c.policy.deflated
	}
	return &c.policy.limits
}

// decodeRest goes on with what a pause left.
func (s *scratch) decodeRest(c *Conn) {
	rest := c.in.rest
	c.in.rest = nil
	defer c.loop.bytes.Put(rest) // also when the handler panics
	s.decode(c, rest)
}

// turnMessages is Engine.turn: a read may bring ten thousand of the smallest
// messages, and the others wait for their turns meanwhile.
const turnMessages = 512

// decode calls the handler for what in holds, and keeps aside what is left: the
// beginning of a message, all that follows a pause, or what is for the next turn.
func (s *scratch) decode(c *Conn, in []byte) {
	dec, b := &s.dec, &c.loop.bytes
	if c.in != nil {
		dec = &c.in.dec
	}
	lim := c.limits()
	for n := 0; !c.is(flagDeaf); n++ {
		if len(in) > 0 && c.waits() {
			c.keep(in)
			break
		}
		if len(in) > 0 && n >= c.loop.e.turn {
			c.keep(in)
			c.work.Or(markKick)
			break
		}
		m, size, ok, err := dec.Next(in, lim, b)
		in = in[size:]
		if err != nil {
			c.violated(err)
			break
		}
		if !ok {
			break
		}
		s.n.messagesIn++
		c.handle(m)
		if len(in) == 0 {
			break
		}
	}
	s.put(c, dec)
}

// put takes the decoder out of use: one that holds something becomes the
// connection's, one that does not goes back.
func (s *scratch) put(c *Conn, dec *codec.Decoder) {
	b := &c.loop.bytes
	if c.is(flagDeaf) {
		dec.Reset(b)
	} else {
		dec.Release(b)
	}
	switch {
	case dec == &s.dec && !dec.Idle():
		c.inbound().dec, s.dec = s.dec, codec.Decoder{}
	case c.in != nil && c.in.dec.Idle() && !c.rests():
		c.dropInbound()
	}
}

// keep copies undecoded bytes aside until reading goes on.
func (c *Conn) keep(in []byte) {
	rest := c.loop.bytes.Get(len(in))
	copy(rest, in)
	c.inbound().rest = rest
}

// handle calls the handler for one message or control frame.
func (c *Conn) handle(m codec.Message) {
	h := c.handler.Load()
	switch m.Opcode {
	case codec.Text, codec.Binary:
		if m.Compressed {
			c.inflated(m)
		} else if h.Message != nil {
			h.Message(c, Message{Data: m.Payload, Binary: m.Opcode == codec.Binary})
		}
	case codec.Ping:
		if c.policy.autoPong {
			c.autoPong(m.Payload)
		}
		if h.Ping != nil {
			h.Ping(c, m.Payload)
		}
	case codec.Pong:
		if h.Pong != nil {
			h.Pong(c, m.Payload)
		}
	case codec.Close:
		c.peerCloses(m.Payload)
	}
}
