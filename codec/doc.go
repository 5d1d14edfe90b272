// Package codec is RFC 6455 and RFC 7692 as functions on bytes: frame headers
// and masks, messages put together from fragments, UTF-8, close payloads,
// permessage-deflate and the headers of the opening handshake.
//
// Every reader and writer of the wire uses it: the engine and its dialer, and
// the clients of the load-test harness. It decides what is legal on the wire
// and with which close code a violation is answered.
//
// It never touches a socket, starts a goroutine or asks for the time, and it
// keeps nothing global: what lasts between two reads is in a value that the
// caller owns ([Decoder], [Bytes]).
//
// # Ownership of bytes
//
// Whoever passes a slice keeps it. [Decoder.Next] unmasks the slice it is given
// in place, and the payload it returns aliases either that slice or memory
// that the Decoder holds; both are good until the next call only. Held memory
// is drawn from a [Bytes] and goes back there.
//
// # Where it is stricter than Node's ws
//
// The violations, their names and their close codes are those of Node's ws,
// with two exceptions. A length that is not written in its shortest form is
// refused (RFC 6455 5.2: "the minimal number of bytes MUST be used"). And text
// that is not UTF-8 is refused at the first byte that shows it, as RFC 6455
// 8.1 wants, not when the message is whole.
package codec
