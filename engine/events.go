package engine

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/roost-ws/roost/codec"
)

// ErrNotRunning is returned by Close of a Server that is closed for good.
//
//lint:ignore ST1005 the words are those of Node's ws
var ErrNotRunning = errors.New("The server is not running")

// Close stops accepting: the port is free when it returns, handshakes under way
// end, and requests for an upgrade that still come are answered 503. An http.Server
// given as ServerOptions.Server gets them all itself again. Connections live on.
//
// The server is closed for good when the last of them is gone; with
// NoClientTracking and no listener of its own, at once. OnClose is called then, and
// an engine that the server made for itself ends. Close in between does nothing;
// after that it returns ErrNotRunning. It may be called from handlers.
func (s *Server) Close() error { return s.CloseThen(nil) }

// CloseThen is Close that calls done, on a goroutine of its own, after OnClose: with
// nil, or ErrNotRunning when the server was closed for good before.
func (s *Server) CloseThen(done func(error)) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		if done != nil {
			go done(ErrNotRunning)
		}
		return ErrNotRunning
	}
	if done != nil {
		s.dones = append(s.dones, done)
	}
	again := s.closing.Swap(true)
	s.mu.Unlock()
	if !again {
		s.stop()
	}
	return nil
}

// stop is what the first Close does.
func (s *Server) stop() {
	s.StopAccepting()
	s.each(func(c *Conn) {
		if c.ReadyState() == Connecting {
			c.giveUp()
		}
	})
	if s.opts.NoClientTracking && s.opts.listenAddr() == "" {
		go s.fire()
	}
	if s.conns.Load() == 0 {
		s.last()
	}
}

// left counts a connection out.
func (s *Server) left(c *Conn) {
	if c.ext != nil && c.ext.addr != nil {
		s.leave(*c.ext.addr)
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
		go func() {
			_ = s.end()
			s.fire()
		}()
	})
}

// fire makes the server closed for good, and tells.
func (s *Server) fire() {
	s.mu.Lock()
	again := s.closed
	dones := s.dones
	s.closed, s.dones = true, nil
	s.mu.Unlock()
	if again {
		return
	}
	if s.opts.OnClose != nil {
		s.opts.OnClose()
	}
	for _, done := range dones {
		done(nil)
	}
}

// listening notes where connections come from, and tells.
func (s *Server) listening(addr net.Addr) {
	s.mu.Lock()
	s.addr = addr
	s.mu.Unlock()
	if s.opts.OnListening != nil {
		s.opts.OnListening(s)
	}
}

// report tells of a failure of the listener. The caller is a loop, which must not
// wait for a hook.
func (s *Server) report(err error) {
	if s.opts.OnError != nil {
		go s.opts.OnError(err)
	}
}

// attach puts s before the routes of h. What http.Server reads while it serves
// cannot be put back then: so it is the hook that steps aside after Close.
func (s *Server) attach(h *http.Server) {
	routes := h.Handler
	if routes == nil {
		routes = http.DefaultServeMux
	}
	h.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.closing.Load() && codec.WantsWebSocket(r) {
			s.ServeHTTP(w, r)
			return
		}
		routes.ServeHTTP(w, r)
	})
	base := h.BaseContext
	h.BaseContext = func(l net.Listener) context.Context {
		s.listening(l.Addr())
		if base != nil {
			return base(l)
		}
		return context.Background()
	}
}
