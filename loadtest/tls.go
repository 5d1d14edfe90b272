package loadtest

import (
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net"
	"syscall"
	"time"

	"github.com/roost-ws/roost/internal/sock"
)

// tlsConn is a connection's TLS, and the net.Conn that crypto/tls reads and
// writes. It belongs to the loop.
//
// crypto/tls wants to block in two places. A handshake fails for good when a read
// fails: so it runs in a coroutine that yields where a read would block. Later a
// read that fails with a temporary error keeps its state, also within a record,
// and may be tried again. Writes go to the loop's memory.
type tlsConn struct {
	l    *loop
	conn *tls.Conn
	fd   int

	resume func() (struct{}, bool) // nil when no handshake is under way
	stop   func()
	yield  func(struct{}) bool
	err    error // of the handshake
	after  error // what the last read met behind the bytes that it returned
}

// secure begins TLS over c's descriptor, which is connected.
func (l *loop) secure(c *conn) {
	t := &tlsConn{l: l, fd: int(c.fd)}
	t.conn = tls.Client(t, l.endpoint(c).tls)
	t.resume, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		t.err = t.conn.Handshake()
	})
	l.layers[c.slot].tls = t
	c.state = connSecuring
	l.carryOn(c)
}

// carryOn resumes the TLS handshake, and asks for the upgrade when it is done.
func (l *loop) carryOn(c *conn) {
	t := l.tlsOf(c)
	_, waits := t.resume()
	if !waits {
		t.end()
	}
	l.send(c, l.takeSealed()) // an alert too, which says why
	switch {
	case waits || c.state != connSecuring:
	case t.err != nil:
		l.end(c, tlsError(t.err))
	default:
		l.upgrade(c)
	}
}

// tlsError tells what TLS refused from what the network did.
func tlsError(err error) error {
	var e syscall.Errno
	if errors.Is(err, io.EOF) || errors.As(err, &e) {
		return err
	}
	return &failure{cause: causeTLS, err: err}
}

// end is done with the coroutine, finished or not.
func (t *tlsConn) end() {
	if t.resume != nil {
		t.stop()
		t.resume, t.stop, t.yield = nil, nil, nil
	}
}

// read reads as much as fits p, so that many small records are answered at once.
func (t *tlsConn) read(p []byte) (n int, err error) {
	err, t.after = t.after, nil
	for n < len(p) && err == nil {
		var m int
		m, err = t.conn.Read(p[n:])
		n += m
	}
	if n > 0 {
		t.after = err
		return n, nil
	}
	if errors.As(err, new(errAgain)) {
		return 0, syscall.EAGAIN
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return 0, nil
	}
	return 0, tlsError(err)
}

// seal returns the records of p, which are the caller's until the loop's next seal.
func (t *tlsConn) seal(p []byte) ([]byte, error) {
	_, err := t.conn.Write(p)
	return t.l.takeSealed(), err
}

// takeSealed returns what TLS wrote to memory since the last call.
func (l *loop) takeSealed() []byte {
	p := l.sealed
	l.sealed = l.sealed[:0]
	if cap(p) > maxOut {
		l.sealed = nil
	}
	return p
}

// errAgain is what crypto/tls takes for a failure that will pass.
type errAgain struct{}

func (errAgain) Error() string   { return "loadtest: no data yet" }
func (errAgain) Timeout() bool   { return true }
func (errAgain) Temporary() bool { return true }

// Read is for crypto/tls.
func (t *tlsConn) Read(p []byte) (int, error) {
	for {
		n, err := sock.Read(t.fd, p)
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

// Write is for crypto/tls.
func (t *tlsConn) Write(p []byte) (int, error) {
	t.l.sealed = append(t.l.sealed, p...)
	return len(p), nil
}

// The rest of net.Conn, which crypto/tls calls only where it may block.

func (t *tlsConn) Close() error                     { return nil }
func (t *tlsConn) LocalAddr() net.Addr              { return sock.Local(t.fd) }
func (t *tlsConn) RemoteAddr() net.Addr             { return sock.Remote(t.fd) }
func (t *tlsConn) SetDeadline(time.Time) error      { return nil }
func (t *tlsConn) SetReadDeadline(time.Time) error  { return nil }
func (t *tlsConn) SetWriteDeadline(time.Time) error { return nil }
