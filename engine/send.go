package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
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
	// ErrControlTooLong: the payload of a ping or pong exceeds 125 bytes (RFC 6455
	// section 5.5).
	ErrControlTooLong = errors.New("the data size must not be greater than 125 bytes")
)

// Send sends one message; op is Text or Binary. Text must be UTF-8: it is not
// checked. data is the caller's again when Send returns. It never blocks: what
// the kernel does not take waits in the outbox.
//
// Errors are a *StateError when c is not open and an *OutboxError when the outbox
// would exceed its limit; the connection is then closed or the message dropped,
// as SlowPolicy says.
func (c *Conn) Send(op Opcode, data []byte) error {
	return c.send(codec.Header{Opcode: op, Fin: true, Length: int64(len(data))}, data)
}

// SendText sends s as a text message. See Send.
func (c *Conn) SendText(s string) error { return c.Send(Text, []byte(s)) }

// Ping sends a ping with at most 125 bytes of data. See Send.
func (c *Conn) Ping(data []byte) error { return c.control(codec.Ping, data) }

// Pong sends a pong with at most 125 bytes of data; pings are answered without
// it. See Send.
func (c *Conn) Pong(data []byte) error { return c.control(codec.Pong, data) }

func (c *Conn) control(op Opcode, data []byte) error {
	if len(data) > codec.MaxControl {
		return ErrControlTooLong
	}
	return c.send(codec.Header{Opcode: op, Fin: true, Length: int64(len(data))}, data)
}

// Flush writes what the handler has sent so far without waiting for it to return.
func (c *Conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
}

func (c *Conn) send(h codec.Header, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.ReadyState(); s != Open {
		return &StateError{s}
	}
	if c.out != nil && c.out.size+len(data) > c.policy.maxOutbox || len(data) > c.policy.maxOutbox {
		return c.overflow(len(data))
	}
	c.push(h, data)
	return nil
}

// push queues or writes one frame. Under mu.
func (c *Conn) push(h codec.Header, data []byte) {
	if c.policy.mask {
		h.Masked, h.Mask = true, newMask()
	}
	c.loop.stats.sent(int(h.Length))
	if c.out == nil {
		c.writeNow(h, data)
		return
	}
	c.out.add(h, data, &c.loop.bytes)
	c.queued()
}

// queued looks after an outbox that grew: a turn's output waits for the turn's
// end, unless it is much; anything else only while the kernel is full.
func (c *Conn) queued() {
	if f := c.flags.Load(); f&flagBlocked == 0 && (f&flagCorked == 0 || c.out.size >= corkMax) {
		c.flush()
	}
	c.highWater()
}

// smallFrame is up to where copying a payload behind its header is cheaper than
// a writev of two slices.
const smallFrame = 4 << 10

// writeNow writes a frame outside of any turn, with nothing queued before it, and
// queues what the kernel does not take.
func (c *Conn) writeNow(h codec.Header, data []byte) {
	var n int
	var err error
	size := h.Size() + len(data)
	if size <= smallFrame || h.Masked {
		b := c.loop.bytes.Get(size)
		n, err = sock.Write(int(c.fd), codec.AppendFrame(b[:0], h, data))
		c.loop.bytes.Put(b)
	} else {
		var head [codec.MaxHeader]byte
		var iov [2]sock.IOV
		n, err = sock.Writev(int(c.fd), sock.Vec(sock.Vec(iov[:0], codec.AppendHeader(head[:0], h)), data))
	}
	if err != nil && err != syscall.EAGAIN {
		c.broken()
		return
	}
	if n == size {
		return
	}
	// Blocked: an edge will tell when there is room again.
	c.out = c.loop.outs.get()
	c.out.add(h, data, &c.loop.bytes)
	c.out.wrote(n, &c.loop.bytes)
	c.out.settle(&c.loop.bytes)
	c.blocked()
	c.highWater()
}

// flush writes what is queued. Under mu.
func (c *Conn) flush() {
	if c.out == nil || c.out.empty() || c.is(flagBroken) {
		return
	}
	switch c.out.write(int(c.fd), &c.loop.bytes) {
	case nil:
		c.unset(flagBlocked)
	case syscall.EAGAIN:
		c.blocked()
	default:
		c.broken()
	}
}

// blocked notes that the kernel took no more. A paused connection is out of the
// poller and must be put back to hear when it does.
func (c *Conn) blocked() {
	if !c.is(flagBlocked) {
		c.set(flagBlocked)
		c.out.since = c.loop.now.Load()
		if c.policy.stall != 0 {
			c.loop.arm(c, c.out.since+c.policy.stall)
		}
	}
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
	c.kick(markRead | markHangup)
}

// overflow deals with a peer that reads too slowly for what is sent to it.
func (c *Conn) overflow(size int) error {
	err := &OutboxError{Size: size, Limit: c.policy.maxOutbox}
	if c.out != nil {
		err.Queued = c.out.size
	}
	c.loop.stats.dropped.Add(1)
	if c.policy.slow == SlowClose {
		x := c.extra()
		if x.err == nil {
			x.err = err
		}
		c.kill()
	}
	return err
}

func newMask() (key [4]byte) {
	if _, err := io.ReadFull(rand.Reader, key[:]); err != nil {
		panic(err) // crypto/rand never fails on the systems that have a poller
	}
	return key
}
