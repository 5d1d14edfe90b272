package engine

import (
	"errors"
	"fmt"

	"github.com/roost-ws/roost/codec"
)

// StateError is returned by sends on a connection that is not open.
type StateError struct{ State State }

func (e *StateError) Error() string {
	return fmt.Sprintf("WebSocket is not open: readyState %d (%s)", e.State, e.State)
}

// Is makes errors.Is(err, ErrNotOpen) hold for every StateError.
func (e *StateError) Is(target error) bool { return target == ErrNotOpen }

// OutboxError is returned by a send that would put more than Limit bytes into the
// connection's outbox.
type OutboxError struct{ Queued, Size, Limit int }

func (e *OutboxError) Error() string {
	return fmt.Sprintf("engine: message of %d bytes on top of %d unsent ones exceeds MaxOutbox %d: the peer reads too slowly",
		e.Size, e.Queued, e.Limit)
}

// Is makes errors.Is(err, ErrOutboxFull) hold for every OutboxError.
func (e *OutboxError) Is(target error) bool { return target == ErrOutboxFull }

var (
	// ErrNotOpen is what errors.Is finds in a *StateError.
	ErrNotOpen = errors.New("engine: WebSocket is not open")
	// ErrOutboxFull is what errors.Is finds in an *OutboxError.
	ErrOutboxFull = errors.New("engine: outbox full")
	// ErrStalled: the peer took nothing of what was sent for WriteTimeout.
	ErrStalled = errors.New("engine: the peer took no data for WriteTimeout")
	// ErrUnsent is what SendOptions.Done is told when the connection ended before
	// the kernel had the message.
	ErrUnsent = errors.New("engine: the connection ended before the message was sent")
	// ErrControlTooLong: the payload of a ping or pong exceeds 125 bytes (RFC 6455
	// section 5.5).
	ErrControlTooLong = errors.New("The data size must not be greater than 125 bytes")
)

// SendOptions are what is rarely wanted of a send. The zero value is Send.
type SendOptions struct {
	// NoCompress sends the message as it is where permessage-deflate was agreed.
	NoCompress bool
	// More makes this a fragment that others follow; op counts, and compression
	// is chosen, in the first of them. Another message sent before the last
	// fragment becomes one of them: NextWriter keeps them apart.
	More bool
	// Mask masks the frame, which a server must not do (RFC 6455 section 5.1):
	// a proper client ends the connection. A client's frames are always masked.
	Mask bool
	// Done, if set, is called in a turn of the connection, like a handler, when
	// the kernel has all of the message, with nil, or will never have it. Calls
	// come in the order of the sends, and all before Handler.Close. When the
	// send itself returns an error, Done is not called.
	Done func(error)
}

// Send sends one message; op is Text or Binary. Text must be UTF-8: it is not
// checked. data is the caller's again when Send returns. It never blocks: what
// the kernel does not take waits in the outbox.
//
// Errors are a *StateError when c is not open and an *OutboxError when the outbox
// would exceed its limit; the connection is then closed or the message dropped,
// as SlowPolicy says.
func (c *Conn) Send(op Opcode, data []byte) error {
	if c.is(flagDeflate) {
		return c.sendDeflated(op, data, &SendOptions{})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.sendable(len(data)); err != nil {
		return err
	}
	c.push(c.dataHeader(op, len(data), false), data, nil)
	return nil
}

// SendText sends s as a text message. See Send.
func (c *Conn) SendText(s string) error { return c.Send(Text, []byte(s)) }

// SendWith is Send with options.
func (c *Conn) SendWith(op Opcode, data []byte, o SendOptions) error {
	if c.is(flagDeflate) {
		return c.sendDeflated(op, data, &o)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.sendable(len(data)); err != nil {
		return err
	}
	h := c.dataHeader(op, len(data), o.More)
	h.Masked = o.Mask
	c.push(h, data, o.Done)
	return nil
}

// Ping sends a ping with at most 125 bytes of data. See Send.
func (c *Conn) Ping(data []byte) error { return c.control(codec.Ping, data) }

// Pong sends a pong with at most 125 bytes of data; pings are answered without
// it. See Send.
func (c *Conn) Pong(data []byte) error { return c.control(codec.Pong, data) }

func (c *Conn) control(op Opcode, data []byte) error {
	if len(data) > codec.MaxControl {
		return ErrControlTooLong
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.sendable(len(data)); err != nil {
		return err
	}
	c.push(codec.Header{Opcode: op, Fin: true, Length: int64(len(data))}, data, nil)
	return nil
}

// Flush writes what the handler has sent so far without waiting for it to return.
func (c *Conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.is(flagBlocked) {
		c.flush()
	}
}

// sendable reports why a message of size bytes cannot be sent now. Under mu.
func (c *Conn) sendable(size int) error {
	if s := c.ReadyState(); s != Open {
		return &StateError{s}
	}
	queued := 0
	if c.out != nil {
		queued = c.out.size
	}
	if queued+size > c.policy.maxOutbox {
		return c.overflow(queued, size)
	}
	return nil
}

// overflow deals with a peer that reads too slowly for what is sent to it.
func (c *Conn) overflow(queued, size int) error {
	err := &OutboxError{Queued: queued, Size: size, Limit: c.policy.maxOutbox}
	c.loop.stats.dropped.Add(1)
	if c.policy.slow == SlowClose {
		c.blame(err)
		c.kill()
	}
	return err
}

// dataHeader is the next data frame's. Under mu.
func (c *Conn) dataHeader(op Opcode, size int, more bool) codec.Header {
	h := codec.Header{Opcode: op, Fin: !more, Length: int64(size)}
	if c.is(flagFragment) {
		h.Opcode = codec.Continuation
	}
	if more {
		c.set(flagFragment)
	} else if c.is(flagFragment) {
		c.unset(flagFragment)
	}
	return h
}
