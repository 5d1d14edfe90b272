package engine

import (
	"sync"
	"sync/atomic"

	"github.com/roost-ws/roost/codec"
)

// DeflateOptions configure permessage-deflate (RFC 7692).
type DeflateOptions = codec.DeflateConfig

const (
	rsv1             = 4 // RSV1 of Header.Rsv: the message is compressed
	defaultThreshold = 1024
)

// deflate is a connection's part of permessage-deflate. The windows hold memory
// only where context takeover was agreed for their direction, and then no more
// than the agreed size.
type deflate struct {
	sendBits, recvBits uint8
	sendKeeps          bool          // context takeover for what we send
	compress           bool          // of the fragmented message that is being sent; under mu
	recv               *codec.Window // nil without takeover; of the turn's holder
	held               atomic.Int32  // bytes of both windows
	sent, got          int32         // of each, as it was counted last; as the windows

	// mu keeps the order of compressing the order of the wire. It is taken before
	// Conn.mu, so that others can send control frames meanwhile.
	mu   sync.Mutex
	send *codec.Window // nil without takeover, but for the time of a fragmented message
}

func newDeflate(p codec.DeflateParams, client bool) *deflate {
	sendLoses, recvLoses := p.ServerNoContextTakeover, p.ClientNoContextTakeover
	z := &deflate{sendBits: p.ServerBits, recvBits: p.ClientBits}
	if client {
		sendLoses, recvLoses = recvLoses, sendLoses
		z.sendBits, z.recvBits = z.recvBits, z.sendBits
	}
	z.sendKeeps = !sendLoses
	if z.sendKeeps {
		z.send = new(codec.Window)
	}
	if !recvLoses {
		z.recv = new(codec.Window)
	}
	return z
}

// worth reports whether a message is to be compressed. The threshold is for
// connections without context takeover: with it, small messages gain most.
func (p *policy) worth(z *deflate, size int) bool {
	return z.sendKeeps || size >= p.threshold
}

// sendDeflated is SendWith on a connection with permessage-deflate.
func (c *Conn) sendDeflated(op Opcode, data []byte, o *SendOptions) error {
	z := c.ext.deflate
	z.mu.Lock()
	defer z.mu.Unlock()
	if c.is(flagWriter) && !o.writer {
		return c.sendFrame(op, data, o, 0) // waits, and is not compressed later
	}
	first := !c.is(flagFragment)
	if first {
		z.compress = !o.NoCompress && c.policy.worth(z, len(data))
	}
	if !z.compress {
		return c.sendFrame(op, data, o, 0)
	}
	if c.ReadyState() != Open {
		return &StateError{c.ReadyState()} // before a window has what the peer never gets
	}
	if first && o.More && !z.sendKeeps {
		z.send = new(codec.Window) // its fragments are one stream
	}
	buf := c.loop.bytes.Get(codec.CompressBound(len(data)))
	defer c.loop.bytes.Put(buf)
	var rsv byte
	if first {
		rsv = rsv1
	}
	err := c.sendFrame(op, c.policy.flate.Compress(buf[:0], data, z.sendBits, z.send, !o.More), o, rsv)
	defer func() { z.account(&c.loop.bytes, &z.sent, z.send) }()
	switch {
	case !o.More && !z.sendKeeps:
		z.send = nil
	case err != nil && z.send != nil:
		z.send.Reset()
	}
	return err
}

// inflated calls the handler for a compressed message. Memory for it grows with
// what comes out, up to the limit (R9), and is given back when the handler
// returns.
func (c *Conn) inflated(m codec.Message) {
	z, p, b := c.ext.deflate, c.policy, &c.loop.bytes
	data, err := p.flate.Inflate(m.Payload, z.recvBits, z.recv, p.limits.MaxPayload, b)
	z.account(b, &z.got, z.recv)
	if err == nil && m.Opcode == codec.Text && !p.limits.SkipUTF8 && !codec.ValidUTF8(data) {
		b.Put(data)
		err = codec.ErrUTF8
	}
	if err != nil {
		c.violated(err)
		return
	}
	defer b.Put(data)
	if h := c.handler.Load(); h.Message != nil {
		h.Message(c, Message{Data: data, Binary: m.Opcode == codec.Binary})
	}
}
