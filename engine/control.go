package engine

import (
	"errors"

	"github.com/roost-ws/roost/codec"
)

// ErrControlTooLong: the payload of a ping or pong exceeds 125 bytes (RFC 6455
// section 5.5).
//
//lint:ignore ST1005 the words are those of Node's ws
var ErrControlTooLong = errors.New("The data size must not be greater than 125 bytes")

// ControlOptions are what is rarely wanted of a ping or pong. The zero value is Ping.
type ControlOptions struct {
	// Mask is as in SendOptions.
	Mask bool
	// DontFailWhenClosed makes it no error that c is not open.
	DontFailWhenClosed bool
	// Done is as in SendOptions.
	Done func(error)
}

// Ping sends a ping with at most 125 bytes of data. See Send.
func (c *Conn) Ping(data []byte) error { return c.control(codec.Ping, data, nil) }

// PingWith is Ping with options.
func (c *Conn) PingWith(data []byte, o ControlOptions) error { return c.control(codec.Ping, data, &o) }

// Pong sends a pong with at most 125 bytes of data; pings are answered without
// it. See Send.
func (c *Conn) Pong(data []byte) error { return c.control(codec.Pong, data, nil) }

// PongWith is Pong with options.
func (c *Conn) PongWith(data []byte, o ControlOptions) error { return c.control(codec.Pong, data, &o) }

func (c *Conn) control(op Opcode, data []byte, o *ControlOptions) error {
	if len(data) > codec.MaxControl {
		return ErrControlTooLong
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.sendable(len(data)); err != nil {
		if o != nil && o.DontFailWhenClosed && errors.Is(err, ErrNotOpen) {
			return nil
		}
		return err
	}
	h := codec.Header{Opcode: op, Fin: true, Length: int64(len(data))}
	if o == nil {
		c.push(h, data, nil)
		return nil
	}
	h.Masked = o.Mask
	c.push(h, data, o.Done)
	return nil
}

// autoPong answers a ping. A peer that pings and does not read is not answered for
// ever: what counts is what a full kernel keeps back, so that a burst of pings in
// one read is no offence. Holder of the turn only.
func (c *Conn) autoPong(data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.roomFor(c.unsent(), len(data)) != nil {
		return // closing, and then it must not
	}
	if c.out != nil && c.out.size >= corkSize && !c.is(flagBlocked) {
		c.flush() // the kernel had room a moment ago; does it have enough?
		if c.ReadyState() != Open {
			return
		}
	}
	h := codec.Header{Opcode: codec.Pong, Fin: true, Length: int64(len(data))}
	if !c.is(flagBlocked) || c.policy.maxPongs == 0 {
		c.push(h, data, nil)
		return
	}
	x := c.extra()
	x.pongs++
	c.push(h, data, func(error) { x.pongs-- }) // in a turn, like this
	if x.pongs >= c.policy.maxPongs {
		c.kill()
	}
}
