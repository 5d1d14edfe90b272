package engine

import (
	"errors"

	"github.com/roost-ws/roost/codec"
)

// Closing, after RFC 6455 section 7 and Node's ws: whoever begins sends a close
// frame and goes on reading until the other's comes; then FIN goes out, the
// peer's FIN is waited for, and the descriptor is closed. A timer bounds all of
// it. Each turn ends with a step.

// Close begins the closing handshake: a close frame with code and reason goes out
// after everything sent before, and no more messages can be sent. CodeNoStatus
// sends an empty close frame. Handler.Close is called when the peer has answered
// or CloseTimeout is over. On a connection that closes already it does nothing.
//
// Errors are codec.ErrInvalidCloseCode and codec.ErrReasonTooLong (123 bytes);
// the connection then stays open.
func (c *Conn) Close(code CloseCode, reason string) error {
	if err := codec.CheckClose(code, reason); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ReadyState() == Open {
		c.sendClose(code, reason)
	}
	return nil
}

// Terminate closes the connection at once, without a close frame. Nothing that
// has come or is queued is delivered any more. Handler.Close follows, with
// CodeAbnormal.
func (c *Conn) Terminate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ReadyState() != Closed {
		c.kill()
	}
}

// kill asks for the end. Under mu.
func (c *Conn) kill() {
	if c.ReadyState() == Open {
		c.setState(Closing)
	}
	c.set(flagKilled)
	c.kick(markKick)
}

// goAway is Close for a server that ends, whatever state c is in.
func (c *Conn) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.ReadyState() {
	case Connecting:
		c.kill()
	case Open:
		c.sendClose(CodeGoingAway, "")
	}
}

// sendClose queues our close frame, once. Under mu, in state Open.
func (c *Conn) sendClose(code CloseCode, reason string) {
	var payload [codec.MaxControl]byte
	p := codec.AppendClose(payload[:0], code, reason)
	c.set(flagSentEnd)
	c.push(codec.Header{Opcode: codec.Close, Fin: true, Length: int64(len(p))}, p, nil)
	c.closing()
}

// closing enters the state and starts the timer. Under mu.
func (c *Conn) closing() {
	c.setState(Closing)
	c.seen.Store(c.loop.e.now())
	c.loop.arm(c, c.seen.Load()+c.policy.closing)
}

// peerCloses takes the peer's close frame and answers it with the same code and
// reason (RFC 6455 section 5.5.1).
func (c *Conn) peerCloses(payload []byte) {
	code, reason, err := codec.ParseClose(payload, c.policy.limits.SkipUTF8)
	if err != nil {
		c.violated(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(flagGotClose)
	x := c.extra()
	x.code, x.reason = code, string(reason)
	if c.ReadyState() == Open {
		c.sendClose(code, x.reason)
	}
}

// violated ends a connection whose peer broke the protocol.
func (c *Conn) violated(err error) {
	code := CodeInternal
	if e := (*codec.Error)(nil); errors.As(err, &e) {
		code = e.Code
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(code, err)
}

// fail sends a close frame with code, unless one went out already, and discards
// all further input: FIN follows without waiting for the peer's frame (RFC 6455
// section 7.1.7). Under mu.
func (c *Conn) fail(code CloseCode, err error) {
	if c.is(flagFailed | flagKilled) {
		return
	}
	if err != nil {
		c.blame(err)
	}
	c.set(flagFailed)
	switch c.ReadyState() {
	case Connecting:
		c.kill()
	case Open:
		c.sendClose(code, "")
	}
}

// step moves the closing on and reports whether the end is there. Under mu, by
// the holder of the turn.
func (c *Conn) step() (end bool) {
	f := c.flags.Load()
	switch {
	case f&flagKilled != 0:
		return true
	case State(f&flagState) == Open:
		return false
	}
	flushed := c.out == nil || c.out.empty() || f&flagBroken != 0
	if !flushed {
		return false
	}
	if f&flagEOF != 0 {
		return true
	}
	if f&flagFIN == 0 && f&flagSentEnd != 0 && f&(flagGotClose|flagFailed) != 0 {
		// Closing the descriptor now could answer what is still unread with RST,
		// and RST can overtake the close frame (RFC 6455 section 7.1.1).
		c.set(flagFIN)
		if c.is(flagTLS) && !c.notify() {
			return false
		}
		if err := c.loop.sys.Shutdown(int(c.fd)); err != nil {
			return true // not connected any more
		}
		c.rearm()
	}
	return false
}

// notify sends TLS's own end, close_notify, before the FIN. It reports false when
// that must wait for room; the FIN is then left to close(2). Under mu.
func (c *Conn) notify() bool {
	t := c.ext.tls
	if t.conn.CloseWrite() == nil {
		c.outbox().addSealed(t.take(), &c.loop.bytes)
		c.flush()
	}
	return c.out == nil || c.out.empty()
}

// outcome is what Handler.Error and Handler.Close are told. Under mu.
func (c *Conn) outcome() (code CloseCode, reason string, err error) {
	code = CodeAbnormal
	if c.ext == nil {
		return code, "", nil
	}
	if c.is(flagGotClose) {
		code, reason = c.ext.code, c.ext.reason
	}
	return code, reason, c.ext.err
}
