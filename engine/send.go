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
)

// SendOptions are what is rarely wanted of a send. The zero value is Send.
type SendOptions struct {
	// NoCompress sends the message as it is where permessage-deflate was agreed.
	NoCompress bool
	// More makes this a fragment that others follow; op counts, and compression
	// is chosen, in the first of them. Another message sent before the last
	// fragment becomes one of them: NextWriter keeps them apart. What has begun
	// cannot be dropped: a later fragment for which MaxOutbox has no room ends the
	// connection, whatever SlowPolicy says.
	More bool
	// Mask masks the frame, which a server must not do (RFC 6455 section 5.1):
	// a proper client ends the connection. A client's frames are always masked.
	Mask bool
	// Done, if set, is called in a turn of the connection, like a handler, when
	// the kernel has all of the message, with nil, or will never have it. Calls
	// come in the order of the sends, and all before Handler.Close. When the
	// send itself returns an error, Done is not called.
	Done func(error)

	writer bool // it is a NextWriter that sends
}

// Send sends one message; op is Text or Binary. Text must be UTF-8: it is not
// checked. data is the caller's again when Send returns. It never blocks: what
// the kernel does not take waits in the outbox.
//
// Errors are a *StateError when c is not open, an *OutboxError when the outbox would
// exceed its limit (the connection is then closed or the message dropped, as SlowPolicy
// says), and a *BudgetError when the message would have to wait while Config.MemoryBudget
// is used up: it is dropped, and the connection stays open. errors.Is finds ErrNotOpen,
// ErrOutboxFull and ErrMemory in them.
func (c *Conn) Send(op Opcode, data []byte) error {
	c.mu.Lock()
	if c.cork(op, data) {
		c.mu.Unlock()
		return nil
	}
	if c.is(flagDeflate) {
		c.mu.Unlock()
		return c.sendDeflated(op, data, &SendOptions{})
	}
	defer c.mu.Unlock()
	if c.is(flagFragment | flagWriter) {
		return c.sendPart(op, data, &SendOptions{}, 0)
	}
	if err := c.sendable(len(data)); err != nil {
		return err
	}
	c.push(codec.Header{Opcode: op, Fin: true, Length: int64(len(data))}, data, nil)
	return nil
}

// cork is Send for what most messages are: short replies within a turn, on a
// connection where nothing is under way that they would have to wait for, the kernel
// takes what there is, and no limit is near. It reports false, and does nothing, for
// all others. Under mu.
func (c *Conn) cork(op Opcode, data []byte) bool {
	const plain = flagState | flagCorked | flagBlocked | flagDeflate | flagFragment | flagWriter
	o := c.out
	if c.flags.Load()&plain != uint32(Open)|flagCorked || o == nil || c.policy.mask || o.size+len(data) > c.policy.cork {
		return false
	}
	last := len(o.chunks) - 1
	if last < o.head {
		return false
	}
	k := &o.chunks[last]
	if k.frame != nil || k.done != nil || cap(k.b)-len(k.b) < codec.MaxHeader+len(data) {
		return false
	}
	before := len(k.b)
	k.b = codec.AppendMessage(k.b, op, data)
	o.size += len(k.b) - before
	o.messages++
	o.payload += len(data)
	return true
}

// SendText sends s as a text message. See Send.
func (c *Conn) SendText(s string) error { return c.Send(Text, []byte(s)) }

// SendWith is Send with options.
func (c *Conn) SendWith(op Opcode, data []byte, o SendOptions) error {
	if c.is(flagDeflate) {
		return c.sendDeflated(op, data, &o)
	}
	return c.sendFrame(op, data, &o, 0)
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
	if err := c.affordable(); err != nil {
		return err
	}
	return c.roomFor(c.unsent(), size)
}

// affordable is what the memory budget says to one more message.
func (c *Conn) affordable() error {
	if c.is(flagBlocked) {
		if c.loop.weigh(); c.loop.e.budget.refuses() {
			return c.loop.e.budget.err()
		}
	}
	return nil
}

// roomFor is what MaxOutbox says to size bytes on top of queued ones.
func (c *Conn) roomFor(queued, size int) error {
	if s := c.ReadyState(); s != Open {
		return &StateError{s}
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
		c.tooSlow(err)
	}
	return err
}

// tooSlow ends a connection for it.
func (c *Conn) tooSlow(err error) {
	if c.policy.slowCode != 0 {
		c.hangUp(c.policy.slowCode, "too slow", err)
		return
	}
	c.blame(err)
	c.kill()
}

// sendFrame queues one data frame whose payload is ready.
func (c *Conn) sendFrame(op Opcode, payload []byte, o *SendOptions, rsv byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendPart(op, payload, o, rsv)
}

// sendPart is push for what may be a fragment, or come between fragments. Under mu.
func (c *Conn) sendPart(op Opcode, payload []byte, o *SendOptions, rsv byte) error {
	waits := c.is(flagWriter) && !o.writer
	queued := c.unsent()
	if c.is(flagAfter) && !waits {
		queued -= c.ext.after.size // it waits for this fragment, which must not wait for it
	}
	begun := c.is(flagFragment)
	if waits {
		begun = c.partWaits()
	}
	if !begun {
		if err := c.affordable(); err != nil {
			return err
		}
	}
	if err := c.roomFor(queued, len(payload)); err != nil {
		if begun && c.ReadyState() == Open {
			c.tooSlow(err) // half a message cannot be dropped
		}
		return err
	}
	h := codec.Header{Opcode: op, Fin: !o.More, Rsv: rsv, Masked: o.Mask, Length: int64(len(payload))}
	if waits {
		c.waitAfter(h, payload, o.Done)
		return nil
	}
	c.pushPart(h, payload, o.Done)
	if !o.More && !o.writer {
		c.goOn()
	}
	return nil
}

// pushPart is push for a message, or a fragment of one.
func (c *Conn) pushPart(h codec.Header, payload []byte, done func(error)) {
	if c.is(flagFragment) {
		h.Opcode = codec.Continuation
	}
	if h.Fin {
		c.unset(flagFragment)
	} else {
		c.set(flagFragment)
	}
	c.push(h, payload, done)
}
