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

	conns   atomic.Int64
	closing atomic.Bool
	gone    chan struct{} // closed when the last connection left after Close
	once    sync.Once

	mu      sync.Mutex
	remotes map[remoteKey]int
	addr    net.Addr
	closed  bool          // for good
	dones   []func(error) // of CloseThen
}

// NewServer makes a Server; with an Addr it listens when NewServer returns. Errors
// are ErrServerMode, ErrClosed for an Engine that ends, name the option that is
// wrong, wrap errors.ErrUnsupported where there is no poller, or are the system's:
// EADDRINUSE when the port is taken.
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
	} else if s.e.closing.Load() {
		return nil, ErrClosed
	}
	s.plain = newPlainServer(s)
	if o.Server != nil {
		s.attach(o.Server)
	}
	if o.listenAddr() == "" {
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

// Addr returns the address listened on, also by ServerOptions.Server, once it
// serves. It is nil when there is none or no more.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return nil
	}
	return s.addr
}

// Clients returns the connections that are open or closing, in no order. A
// connection is among them from Handler.Open to before Handler.Close. It is nil with
// NoClientTracking.
func (s *Server) Clients() []*Conn {
	if s.opts.NoClientTracking {
		return nil
	}
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

// Shutdown closes the server, tells its connections that it goes away (1001), and
// waits until all are gone or ctx ends. What was sent to a connection before goes
// out before its close frame, as long as the peer reads it within CloseTimeout; no
// more can be sent. Requests of plain HTTP are finished meanwhile. When ctx ends
// first, connections that are left are terminated, and the error wraps ctx's and
// tells how many they were and how many bytes they did not get.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.Close(); err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	plain := make(chan error, 1)
	go func() { plain <- s.plain.shutdown(ctx) }()
	s.each((*Conn).goAway)
	var err error
	select {
	case <-s.gone:
	case <-ctx.Done():
		err = s.abandon(ctx.Err())
	}
	return errors.Join(err, <-plain, s.end())
}

// abandon terminates the connections that are left and says what they lose.
func (s *Server) abandon(cause error) error {
	conns, unsent := 0, 0
	s.each(func(c *Conn) {
		conns++
		unsent += c.BufferedAmount()
		c.Terminate()
	})
	if conns == 0 {
		return nil
	}
	return fmt.Errorf("engine: %d connections terminated with %d bytes not delivered: %w", conns, unsent, cause)
}

// end releases what the server made for itself.
func (s *Server) end() error {
	err := s.plain.shutdown(context.Background())
	if s.owned {
		err = errors.Join(err, s.e.Close())
	}
	return err
}
