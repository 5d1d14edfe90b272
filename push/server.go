package push

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// Server is a push server for one or more apps. It owns no socket: Options lets an
// engine.Server serve its WebSockets and its HTTP on one port. All its methods
// may be called from several goroutines.
type Server struct {
	opts     Options
	start    time.Time
	apps     atomic.Pointer[tenants]
	updating sync.Mutex // one UpdateApps at a time
	conns    *directory
	fleet    *fleet
	counts   counters
	engine   atomic.Pointer[engine.Engine] // for metrics only
	draining atomic.Bool
	drain    drain

	maxOutbox atomic.Int64 // of a connection, bytes
	slow      slowness
	leave     func() // the bus
	http      http.Handler
	board     *board
	tracer    tracer
}

// New returns a server that listens to its bus. Close lets go of the bus.
func New(o Options) (*Server, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	s := &Server{opts: o, start: time.Now(), conns: newDirectory()}
	s.fleet = newFleet(s)
	s.apps.Store(s.newTenants(o.Apps, &o.Limits, nil))
	s.counts.publishing = newPublishing()
	s.maxOutbox.Store(defaultOutbox)
	s.http = s.routes()
	s.board = newBoard(s)
	s.tracer = newTracer(o.Tracer)
	for _, a := range s.tenants().list {
		a.hooks.update(a, &s.counts, o.Logger)
	}
	if err := s.fleet.join(); err != nil {
		s.stopHooks()
		return nil, err
	}
	leave, err := o.Bus.Subscribe(s.deliver)
	if err != nil {
		s.fleet.close()
		s.stopHooks()
		return nil, fmt.Errorf("push: join the bus: %w", err)
	}
	s.leave = leave
	go s.board.run()
	return s, nil
}

// defaultOutbox is as for a fleet: whoever is further behind reconnects.
const defaultOutbox = 1 << 20

// Options returns base with all that the push server decides: the handler, the
// HTTP side, the check of origins, the size of messages, and, unless base sets
// them, the timeouts that detect dead peers and an outbox of 1 MiB. Every connection of one push server
// must belong to one engine, so set base.Engine if there is more than one
// listener.
func (s *Server) Options(base engine.ServerOptions) engine.ServerOptions {
	base.Handler = s.EngineHandler()
	base.HTTP = s.HTTP()
	base.Verify = s.verifyOrigin
	base.MaxPayload = int64(s.opts.MaxMessage)
	if base.MaxOutbox == 0 {
		base.MaxOutbox = defaultOutbox
	}
	s.maxOutbox.Store(int64(base.MaxOutbox))
	if base.SlowCode == 0 {
		base.SlowCode = protocol.CodeTooSlow
	}
	if base.IdleCode == 0 {
		base.IdleCode = protocol.CodePongTimeout
	}
	if base.MaxOutbox < 0 {
		s.maxOutbox.Store(1 << 40) // no limit
	}
	s.warnOfLists()
	if base.PingInterval == 0 {
		base.PingInterval = s.opts.ActivityTimeout
	}
	if base.IdleTimeout == 0 {
		base.IdleTimeout = s.opts.ActivityTimeout + s.opts.PongTimeout
	}
	if base.Engine != nil {
		s.engine.Store(base.Engine)
	}
	listening := base.OnListening
	base.OnListening = func(srv *engine.Server) {
		addr := srv.Addr().String()
		s.fleet.addr.Store(&addr)
		if listening != nil {
			listening(srv)
		}
	}
	return base
}

// warnOfLists tells of apps whose limits allow presence channels that are too large
// to join.
func (s *Server) warnOfLists() {
	for _, a := range s.tenants().list {
		l := a.now().Limits
		if n, most := l.MaxMembers*l.MaxUserInfo, int(s.maxOutbox.Load())/2; n > most {
			s.opts.Logger.Warn("the list of a full presence channel may be too large: allow fewer members, less info, or a larger outbox",
				"app", a.now(), "max_members", l.MaxMembers, "max_user_info", l.MaxUserInfo, "bytes", n, "half_of_max_outbox", most)
		}
	}
}

// EngineHandler returns the WebSocket side.
func (s *Server) EngineHandler() engine.Handler {
	return engine.Handler{Open: s.open, Message: s.message, Close: s.closed, Error: s.failed}
}

// HTTP returns everything else: the API, the console, metrics and health.
func (s *Server) HTTP() http.Handler { return s.http }

// Token returns the console's token.
func (s *Server) Token() string { return s.opts.Token }

// ConsoleURL returns the console's address below base, "http://host:port". The
// token is in the fragment, which browsers send to no server and no log gets.
func (s *Server) ConsoleURL(base string) string { return base + "/#token=" + s.opts.Token }

// Close leaves the bus: nothing is delivered any more, and webhooks that wait
// are given up. Connections are the engine's to close.
func (s *Server) Close() error {
	s.drain.stop()
	s.fleet.close()
	s.leave()
	s.board.stop()
	s.stopHooks()
	return nil
}

func (s *Server) stopHooks() {
	s.updating.Lock()
	defer s.updating.Unlock()
	for _, a := range s.tenants().list {
		a.hooks.stop()
	}
}
