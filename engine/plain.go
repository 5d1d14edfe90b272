package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/roost-ws/roost/codec"
)

// plainServer hands requests that ask for no upgrade to net/http: the connection
// leaves the engine with the bytes already read, and an http.Server serves it
// from then on. It is also the net.Listener of that server.
type plainServer struct {
	s    *Server
	http *http.Server // nil when there is no handler

	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	served sync.WaitGroup
}

// plainBacklog is how many connections wait for net/http's accept loop, which
// only starts a goroutine for each.
const plainBacklog = 128

// plainIdle is how long a plain connection may wait for its next request.
const plainIdle = 2 * time.Minute

func newPlainServer(s *Server) *plainServer {
	p := &plainServer{s: s, conns: make(chan net.Conn, plainBacklog), closed: make(chan struct{})}
	if s.opts.HTTP == nil {
		return p
	}
	p.http = &http.Server{
		Handler:           s.upgradeOr(s.opts.HTTP),
		ReadHeaderTimeout: span(s.opts.HandshakeTimeout, defaultHandshake),
		IdleTimeout:       plainIdle,
		MaxHeaderBytes:    s.policy.maxHead,
		ConnContext:       withTLS,
	}
	p.served.Go(func() { _ = p.http.Serve(p) })
	return p
}

// Upgrade Required: what a WebSocket-only port says to anything else.
var upgradeRequired = []byte("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n" +
	"Content-Type: text/plain\r\nContent-Length: 16\r\n\r\nUpgrade Required")

// take moves c's descriptor to net/http. Holder of the turn only.
func (p *plainServer) take(c *Conn, head, rest []byte) {
	if p.http == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.set(flagFailed | flagSentEnd)
		c.raw(upgradeRequired)
		return
	}
	conn, err := c.detach(append(append([]byte(nil), head...), rest...))
	if err != nil {
		c.refuse(&codec.HandshakeError{Status: http.StatusServiceUnavailable, Msg: "No descriptor left"})
		return
	}
	select {
	case p.conns <- conn:
	case <-p.closed:
		_ = conn.Close()
	default:
		_ = conn.Close() // net/http's accept loop is far behind: shed
	}
	c.Terminate()
}

// detach makes a net.Conn of a duplicate of c's descriptor, that begins with what
// was read from it already. c's own is closed as ever, so that its number stays
// in one owner's hands (R5).
func (c *Conn) detach(read []byte) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The last records of TLS's handshake: net/http's come behind them.
	if c.flush(); c.out != nil && !c.out.empty() {
		return nil, syscall.EAGAIN
	}
	if err := c.loop.poll.Update(int(c.fd), c.armed, 0); err != nil {
		return nil, err
	}
	c.armed = 0
	fd, err := dup(int(c.fd))
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close() // FileConn takes one more duplicate
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	if c.is(flagTLS) {
		t := c.ext.tls
		t.blocking = conn
		return c.loop.e.lend(&readConn{Conn: t.conn, head: read, tls: t.conn}), nil
	}
	return c.loop.e.lend(&readConn{Conn: conn, head: read}), nil
}

// lend counts r among e's connections until it is closed.
func (e *Engine) lend(r *readConn) *readConn {
	e.plain.Add(1)
	r.e = e
	return r
}

// readConn is a connection of which some bytes were read before.
type readConn struct {
	net.Conn
	head []byte
	tls  *tls.Conn // nil without TLS

	e      *Engine // that counts it
	closed atomic.Bool
}

// Close may be called again, and by several.
func (r *readConn) Close() error {
	if !r.closed.Swap(true) {
		r.e.plain.Add(-1)
	}
	return r.Conn.Close()
}

type tlsKey struct{}

// withTLS is an http.Server's ConnContext: net/http finds the state of TLS by
// itself only where it owns the *tls.Conn.
func withTLS(ctx context.Context, conn net.Conn) context.Context {
	if r, ok := conn.(*readConn); ok && r.tls != nil {
		state := r.tls.ConnectionState()
		return context.WithValue(ctx, tlsKey{}, &state)
	}
	return ctx
}

// CloseWrite is for a bridge, and for net/http.
func (r *readConn) CloseWrite() error {
	half, ok := r.Conn.(interface{ CloseWrite() error })
	if !ok {
		return r.Close()
	}
	return half.CloseWrite()
}

func (r *readConn) Read(p []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}

// Accept, Close and Addr are net.Listener's.
func (p *plainServer) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *plainServer) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *plainServer) Addr() net.Addr { return p.s.Addr() }

// shutdown lets requests under way finish until ctx ends.
func (p *plainServer) shutdown(ctx context.Context) error {
	if p.http == nil {
		return nil
	}
	err := p.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, p.http.Close())
	}
	_ = p.Close() // Serve may not have begun, and then knows no listener
	p.served.Wait()
	for {
		select {
		case c := <-p.conns:
			_ = c.Close()
		default:
			return err
		}
	}
}
