package engine

import (
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net"
	"sync"
	"syscall"
)

// maxTLSHandshakes is the most TLS handshakes of an engine under way at once:
// each has a stack. Those above it are turned away.
const maxTLSHandshakes = 4096

// maxRecord is the most plaintext in one TLS record (RFC 8446 section 5.1).
const maxRecord = 16 << 10

// tlsConn is a connection's TLS, by crypto/tls over a descriptor that never
// blocks. It is the net.Conn that crypto/tls reads and writes.
//
// crypto/tls wants to block in two places. A handshake fails for good when a
// read fails: so it runs in a coroutine that yields where a read would block,
// and a turn resumes it. After the handshake a read that fails with a temporary
// error keeps its state, also in the middle of a record, and is tried again by a
// later turn. Writes go to memory and cannot fail.
type tlsConn struct {
	c    *Conn
	conn *tls.Conn

	// Of the turn's holder.
	resume func() (struct{}, bool) // nil when no handshake is under way
	stop   func()
	yield  func(struct{}) bool
	err    error // of the handshake
	done   bool  // it is over, and was good

	mu     sync.Mutex // a leaf, under crypto/tls's own locks
	sealed []byte     // records on their way to the outbox, from the loop's bytes

	blocking net.Conn // after the connection was handed to net/http
}

func newTLS(c *Conn, config *tls.Config, client bool) *tlsConn {
	t := &tlsConn{c: c}
	if client {
		t.conn = tls.Client(t, config)
	} else {
		t.conn = tls.Server(t, config)
	}
	return t
}

// errAgain is what crypto/tls takes for a failure that will pass.
type errAgain struct{}

func (errAgain) Error() string   { return "engine: no data yet" }
func (errAgain) Timeout() bool   { return true }
func (errAgain) Temporary() bool { return true }

// handshake carries the TLS handshake on. It reports true when it is done, and
// ends the connection when it failed. Holder of the turn only.
func (t *tlsConn) handshake() (done bool) {
	if t.done {
		return true
	}
	e := t.c.loop.e
	if t.resume == nil {
		if e.handshakes.Add(1) > maxTLSHandshakes {
			e.handshakes.Add(-1)
			t.c.Terminate()
			return false
		}
		t.resume, t.stop = iter.Pull(func(yield func(struct{}) bool) {
			t.yield = yield
			t.err = t.conn.Handshake()
		})
	}
	if _, waits := t.resume(); waits {
		t.deliver()
		return false
	}
	t.end()
	t.deliver()
	if t.err != nil {
		t.c.failTLS(t.err)
		return false
	}
	t.done = true
	return true
}

// end is done with the coroutine, finished or not.
func (t *tlsConn) end() {
	if t.resume == nil {
		return
	}
	t.stop()
	t.resume, t.stop, t.yield = nil, nil, nil
	t.c.loop.e.handshakes.Add(-1)
}

// failTLS ends a connection whose handshake failed, after its alert.
func (c *Conn) failTLS(err error) {
	c.loop.stats.rejected.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	c.blame(err)
	c.kill()
}

// read is Conn.read for what TLS carries: as much as fits p, so that a short read
// means the same as of a socket.
func (t *tlsConn) read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = t.conn.Read(p[n:])
		n += m
	}
	t.deliver() // an alert or a key update may have to go out
	var again errAgain
	switch {
	case err == nil:
		return n, nil
	case n > 0:
		if !errors.As(err, &again) {
			t.c.work.Or(markRead) // it comes again at the next read, for which there may be no event
		}
		return n, nil
	case errors.As(err, &again):
		return 0, syscall.EAGAIN
	case err == io.EOF:
		return 0, nil
	}
	return 0, err
}

// deliver moves what crypto/tls wrote by itself to the outbox.
func (t *tlsConn) deliver() {
	t.mu.Lock()
	waits := len(t.sealed) > 0
	t.mu.Unlock()
	if !waits {
		return
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if !t.c.is(flagBroken) {
		t.c.outbox().addSealed(t.take(), &t.c.loop.bytes)
	}
}

// take returns the records written so far. Under Conn.mu, so that they reach the
// outbox in their order.
func (t *tlsConn) take() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.sealed
	t.sealed = nil
	return p
}

// Read is for crypto/tls. Holder of the turn only.
func (t *tlsConn) Read(p []byte) (int, error) {
	if t.blocking != nil {
		return t.blocking.Read(p)
	}
	for {
		n, err := t.c.loop.sys.Read(int(t.c.fd), p)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err != syscall.EAGAIN:
			return 0, err
		case t.yield == nil:
			return 0, errAgain{}
		case !t.yield(struct{}{}):
			return 0, net.ErrClosed
		}
	}
}

// Write is for crypto/tls: it keeps the records until take.
func (t *tlsConn) Write(p []byte) (int, error) {
	if t.blocking != nil {
		return t.blocking.Write(p)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := &t.c.loop.bytes
	n := len(t.sealed)
	if t.sealed == nil {
		t.sealed = b.Get(len(p))[:0]
	} else if cap(t.sealed) < n+len(p) {
		t.sealed = b.Grow(t.sealed, n+len(p))[:n]
	}
	t.sealed = append(t.sealed, p...)
	return len(p), nil
}
