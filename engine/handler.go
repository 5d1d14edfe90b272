package engine

import (
	"github.com/roost-ws/roost/codec"
)

// Opcode is the kind of a frame (RFC 6455 section 5.2).
type Opcode = codec.Opcode

// The kinds of messages.
const (
	Text   = codec.Text
	Binary = codec.Binary
)

// CloseCode says why a connection ends (RFC 6455 section 7.4).
type CloseCode = codec.CloseCode

// The close codes that engine itself sends or reports. codec has them all.
const (
	CodeNormal    = codec.CodeNormal
	CodeGoingAway = codec.CodeGoingAway
	CodeNoStatus  = codec.CodeNoStatus // the peer's close frame was empty
	CodeAbnormal  = codec.CodeAbnormal // no close frame came
	CodeInternal  = codec.CodeInternal
)

// Message is one whole message.
type Message struct {
	// Data is valid until the handler returns, and may be changed by it.
	Data []byte
	// Binary tells binary from text. Text is valid UTF-8.
	Binary bool
}

// Opcode is what Send takes to send a message of the same kind.
func (m Message) Opcode() Opcode {
	if m.Binary {
		return Binary
	}
	return Text
}

// Handler is told what happens on a connection. Any of its functions may be nil.
// For one connection they are called one at a time, in the order of the wire,
// Open first and Close last (R2, R10); for different connections at the same
// time. They may block unless the Engine's Dispatch is DispatchLoop, and must
// not keep the slices that they are given. One that panics costs its connection; one
// that calls runtime.Goexit, as testing's FailNow does, leaves its own without an end.
//
// What a function sends leaves when it returns and the messages read with its
// own were handled too; Flush sends it at once.
type Handler struct {
	// Open: the connection stands. r is valid until it returns.
	Open func(c *Conn, r *Request)
	// Message: a whole message came.
	Message func(c *Conn, m Message)
	// Ping: a ping came; the pong is on its way already.
	Ping func(c *Conn, data []byte)
	// Pong: a pong came, asked for or not.
	Pong func(c *Conn, data []byte)
	// Drain: output that was above its high-water mark is all with the kernel.
	Drain func(c *Conn)
	// Error: what went wrong, at most once and before Close. The peer's leaving is
	// no error. A violation by the peer is a *codec.Error.
	Error func(c *Conn, err error)
	// Close: the connection is over. code and reason are what the peer's close
	// frame said, CodeNoStatus when it said nothing, CodeAbnormal when none came.
	Close func(c *Conn, code CloseCode, reason string)
}
