package push

import (
	"context"
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

// Publish hands an event to the bus, as the HTTP API does; without e.App it is
// for the first app. The error tells which limit it breaks, or is the bus's.
func (s *Server) Publish(ctx context.Context, e Event) error {
	a := s.tenants().list[0]
	if e.App != "" {
		a = s.tenants().byID[e.App]
	}
	if a == nil {
		return fmt.Errorf("push: no app %q here: name one of the apps", e.App)
	}
	e.App, e.UserID, e.Terminate = a.ID, "", ""
	if err := a.checkEvent(&e); err != nil {
		return err
	}
	return s.publish(ctx, a.split(&e)...)
}

// publish hands the parts of one event to the bus.
func (s *Server) publish(ctx context.Context, parts ...*Event) error {
	for _, e := range parts {
		if err := s.tracer.publish(ctx, s.opts.Bus, e); err != nil {
			s.counts.busErrors.Add(1)
			return fmt.Errorf("push: hand the event to the bus: %w", err)
		}
	}
	s.counts.published.Add(1)
	if len(parts) > 0 {
		if a := s.tenants().byID[parts[0].App]; a != nil {
			a.published.Add(1)
		}
	}
	return nil
}

// split parts e by what is kept of its channels: each channel with history by
// itself, the rest in one.
func (a *app) split(e *Event) (parts []*Event) {
	plain := *e
	plain.Channels, plain.Keep = nil, Retention{}
	for _, name := range e.Channels {
		keep := a.retention(name)
		if keep.Count == 0 {
			plain.Channels = append(plain.Channels, name)
			continue
		}
		kept := *e
		kept.Channels, kept.Keep = []string{name}, keep
		parts = append(parts, &kept)
	}
	if len(plain.Channels) > 0 {
		parts = append(parts, &plain)
	}
	return parts
}

// deliver fans an event out to the subscribers here. Data is encoded once, the
// frame once a channel.
func (s *Server) deliver(e *Event) {
	if e.Lost {
		s.sendBack()
		return
	}
	a := s.tenants().byID[e.App]
	if a == nil {
		return
	}
	if e.Terminate != "" {
		s.terminate(a, e.Terminate)
		return
	}
	defer s.tracer.fanOut(e)()
	var data, frame []byte
	var except *engine.Conn
	for _, name := range e.Channels {
		ch := a.hub.find(name)
		if ch == nil {
			continue
		}
		if data == nil {
			data = protocol.AppendString(make([]byte, 0, len(e.Data)+len(e.Data)/8+2), e.Data)
			except = s.conns.find(e.Except)
		}
		frame = appendEvent(frame[:0], e, name, data, ch.traced)
		ch.topic.PublishExcept(except, engine.Text, frame) // copies frame
		s.counts.fannedOut.Add(1)
		a.traffic.count(ch)
	}
}

// sendBack closes the connections that may have missed events of a channel with
// history. They come back with the positions that they know, and get what they
// missed or are told.
func (s *Server) sendBack() {
	for _, c := range s.conns.all() {
		if ss := sessionOf(c); ss != nil && ss.resumes.Load() {
			s.disconnect(c, ss.legacy, protocol.CodeReconnect, "events may be missing: reconnect and resume")
		}
	}
}

// appendEvent appends the frame that subscribers of channel get; data is e's, as
// JSON, and traced says whether they learn of the event's trace.
func appendEvent(dst []byte, e *Event, channel string, data []byte, traced bool) []byte {
	dst = protocol.AppendFrame(dst, e.Name, channel, data)
	if e.UserID != "" {
		dst = protocol.AppendUserID(dst, e.UserID)
	}
	if e.Position.Epoch != "" {
		dst = protocol.AppendPosition(dst, e.Position)
	}
	if traced && e.Trace.Parent != "" {
		dst = protocol.AppendTrace(dst, e.Trace.Parent)
	}
	return dst
}

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
