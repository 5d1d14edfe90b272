package codec

import "github.com/gobwas/ws"

// Opcode says what a frame carries: RFC 6455 5.2.
type Opcode = ws.OpCode

// The opcodes that RFC 6455 11.8 defines. All others are violations.
const (
	Continuation = ws.OpContinuation
	Text         = ws.OpText
	Binary       = ws.OpBinary
	Close        = ws.OpClose
	Ping         = ws.OpPing
	Pong         = ws.OpPong
)

// MaxControl is the longest payload of a control frame in bytes: RFC 6455 5.5.
const MaxControl = 125

// opcodeControl is the bit that control opcodes have and data opcodes lack.
const opcodeControl = 0x8
