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

// flush sends what the loop's buffer has for c.
func (l *loop) flush(c *conn) {
	p := l.out
	l.out = l.out[:0]
	if cap(p) > maxOut {
		l.out = nil
	}
	if len(p) == 0 || c.state == connClosed {
		return
	}
	if t := l.tlsOf(c); t != nil {
		var err error
		if p, err = t.seal(p); err != nil {
			l.end(c, err)
			return
		}
	}
	l.send(c, p)
}

// send writes bytes to c's descriptor; what the kernel leaves is held, and goes when
// the descriptor becomes writable.
func (l *loop) send(c *conn, p []byte) {
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
	if len(h.out)-h.sent+len(p) > maxHeld {
		l.end(c, &failure{cause: causeNotReading, err: errNotReading})
		return
	}
	if h.sent > len(h.out)/2 {
		h.out, h.sent = h.out[:copy(h.out, h.out[h.sent:])], 0
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
	n, err := sock.Write(int(c.fd), h.out[h.sent:])
	if err == syscall.EAGAIN {
		return
	}
	if err != nil {
		l.end(c, err)
		return
	}
	if h.sent += n; h.sent == len(h.out) {
		l.bytes.Put(h.out)
		h.out, h.sent = nil, 0
		l.settle(c)
	}
}
