package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Server accepts WebSocket connections, from a listener of its own or from an
// http.Server. All its methods may be called from several goroutines.
type Server struct {
	opts   ServerOptions
	e      *Engine
	owned  bool // e ends with the server
	policy policy
	tls    *tls.Config // nil without TLS
	plain  *plainServer

	listeners []*listener
	addr      net.Addr

	conns   atomic.Int64
	closing atomic.Bool
	gone    chan struct{} // closed when the last connection left after Close
	once    sync.Once

	mu      sync.Mutex
	remotes map[remoteKey]int
}

// NewServer makes a Server; with an Addr it listens when NewServer returns. Errors
// name the option that is wrong, wrap errors.ErrUnsupported where there is no
// poller, or are the system's: EADDRINUSE when the port is taken.
func NewServer(o ServerOptions) (*Server, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Server{opts: o, e: o.Engine, gone: make(chan struct{}), remotes: make(map[remoteKey]int)}
	s.policy = newPolicy(s, s.opts.conns())
	s.tls = serverTLS(o.TLS)
	if s.e == nil {
		e, err := New(o.Config)
		if err != nil {
			return nil, err
		}
		s.e, s.owned = e, true
	}
	s.plain = newPlainServer(s)
	if o.Addr == "" {
		return s, nil
	}
	if err := s.listen(); err != nil {
		return nil, errors.Join(err, s.end())
	}
	return s, nil
}

// serverTLS is the user's configuration with the only protocol that WebSockets
// are upgraded from.
func serverTLS(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	return c
}

// Engine returns the engine that the server's connections live on.
func (s *Server) Engine() *Engine { return s.e }

// Addr returns the address listened on, nil when there is none or no more.
func (s *Server) Addr() net.Addr {
	if s.closing.Load() {
		return nil
	}
	return s.addr
}

// Clients returns the connections that are open or closing, in no order.
func (s *Server) Clients() []*Conn {
	var list []*Conn
	s.each(func(c *Conn) {
		if c.is(flagOpened) && c.ReadyState() != Closed {
			list = append(list, c)
		}
	})
	return list
}

func (s *Server) each(f func(*Conn)) {
	s.e.table.each(func(c *Conn) {
		if c.policy.srv == s {
			f(c)
		}
	})
}

// ErrNotRunning is returned by the second Close of a Server.
var ErrNotRunning = errors.New("The server is not running")

// Close stops accepting: the port is free when it returns, and requests for an
// upgrade are answered 503. Connections live on. An engine that the server made
// for itself ends with the last of them. The second call returns ErrNotRunning.
func (s *Server) Close() error {
	if s.closing.Swap(true) {
		return ErrNotRunning
	}
	for _, in := range s.listeners {
		done := make(chan struct{})
		in.loop.post(order{kind: orderUnlisten, in: in, done: done})
		select {
		case <-done:
		case <-in.loop.ended: // the Engine was closed first, and the listener with it
		}
	}
	s.each(func(c *Conn) {
		if c.ReadyState() == Connecting {
			c.Terminate()
		}
	})
	if s.conns.Load() == 0 {
		s.last()
	}
	return nil
}

// Shutdown closes the server, tells its connections that it goes away (1001),
// waits until all are gone or ctx ends, and terminates those left. The error is
// ctx's when there were some.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.Close(); err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	err := s.plain.shutdown(ctx)
	s.each((*Conn).goAway)
	select {
	case <-s.gone:
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("engine: %d connections terminated: %w", s.conns.Load(), ctx.Err()))
		s.each((*Conn).Terminate)
	}
	return errors.Join(err, s.end())
}

// left counts a connection out.
func (s *Server) left(c *Conn) {
	if c.ext != nil {
		s.leave(c.ext.addr)
	}
	if s.conns.Add(-1) == 0 && s.closing.Load() {
		s.last()
	}
}

// last runs once, after Close, when no connection is left.
func (s *Server) last() {
	s.once.Do(func() {
		close(s.gone)
		// Not here: a worker may be the caller, and the engine's end waits for them.
		go func() { _ = s.end() }()
	})
}

// end releases what the server made for itself.
func (s *Server) end() error {
	err := s.plain.shutdown(context.Background())
	if s.owned {
		err = errors.Join(err, s.e.Close())
	}
	return err
}
