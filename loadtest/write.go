package loadtest

import (
	"errors"
	"syscall"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
)

// maxHeld bounds what waits to be written to a server that does not read.
const maxHeld = 16 << 20

var errNotReading = errors.New("the server does not read: 16 MiB wait to be written to one connection")

// header is that of a whole frame to the server: masked, with a key of its own.
func (l *loop) header(op codec.Opcode) codec.Header {
	return codec.Header{Opcode: op, Fin: true, Masked: true, Mask: l.mask()}
}

// flush writes what the loop's buffer has for c; what the kernel leaves is held,
// and goes when the descriptor becomes writable.
func (l *loop) flush(c *conn) {
	p := l.out
	l.out = l.out[:0]
	if cap(p) > maxOut {
		l.out = nil
	}
	if len(p) == 0 || c.state == connClosed {
		return
	}
	if c.held == nil || len(c.held.out) == 0 {
		n, err := sock.Write(int(c.fd), p)
		if err != nil && err != syscall.EAGAIN {
			l.end(c, err)
			return
		}
		if p = p[n:]; len(p) == 0 {
			return
		}
	}
	h := l.hold(c)
	if len(h.out)+len(p) > maxHeld {
		l.end(c, &failure{cause: causeNotReading, err: errNotReading})
		return
	}
	h.out = append(l.bytes.Grow(h.out, len(h.out)+len(p)), p...)
}

// blocked reports that the kernel would not take all that was written to c.
func (c *conn) blocked() bool { return c.held != nil && len(c.held.out) > 0 }

// unblock writes what is held.
func (l *loop) unblock(c *conn) {
	if !c.blocked() {
		return
	}
	h := c.held
	n, err := sock.Write(int(c.fd), h.out)
	if err == syscall.EAGAIN {
		return
	}
	if err != nil {
		l.end(c, err)
		return
	}
	h.out = h.out[:copy(h.out, h.out[n:])]
	if len(h.out) == 0 {
		l.bytes.Put(h.out)
		h.out = nil
		l.settle(c)
	}
}
