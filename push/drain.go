package push

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// drain is the one that is under way, if any. The zero value is none.
type drain struct {
	mu     sync.Mutex // held while another begins or this one is ended
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// ErrDrainCancelled is what Drain returns after CancelDrain.
var ErrDrainCancelled = errors.New("push: the drain was cancelled")

// drainPlan is when who leaves and comes back.
type drainPlan struct {
	delay  time.Duration
	rate   float64       // connections closed a second
	spread time.Duration // over which each may come back
}

const (
	leastDrain = 100 // connections a second that nobody minds
	drainSlice = 10 * time.Millisecond
)

// plan is for conns connections.
func (o *Options) plan(conns int, window time.Duration) drainPlan {
	p := drainPlan{delay: o.DrainDelay, rate: float64(o.DrainRate)}
	if p.rate == 0 {
		p.rate = max(float64(conns)/window.Seconds(), leastDrain)
	}
	took := time.Duration(float64(conns) / p.rate * float64(time.Second))
	p.spread = max(returning(conns, window)-took, drainSlice)
	return p
}

// returning is the time over which conns connections that are closed at once come back.
func returning(conns int, window time.Duration) time.Duration {
	return max(min(window, time.Duration(conns)*time.Second/leastDrain), drainSlice)
}

// due is how many of all connections have been told to leave after that time.
func (p drainPlan) due(after time.Duration, all int) int {
	return min(int(after.Seconds()*p.rate)+1, all)
}

// Drain makes /readyz fail and turns new connections away with 4100. Then it
// closes the others with 4200, evenly over time, so that clients go to another
// server and don't all arrive there in one moment; a pusher:error before the close
// has reconnect_after_ms for clients that know it. When ctx ends sooner than
// Options.DrainWindow and no rate is set, it closes faster. It also ends the
// dashboards' streams, and returns when all have been told, with ctx's error when
// it ends first, or ErrDrainCancelled. Another drain under way gives way to this
// one. Shutting down the engine's server comes after it.
func (s *Server) Drain(ctx context.Context) error {
	ctx, done := s.drain.begin(ctx, s)
	defer s.board.stop()
	defer close(done)
	return s.sendAway(ctx)
}

// CancelDrain ends the drain that is under way or done: /readyz succeeds again and
// connections are welcome. It reports false when there was none.
func (s *Server) CancelDrain() bool {
	s.drain.mu.Lock()
	defer s.drain.mu.Unlock()
	if !s.draining.Load() {
		return false
	}
	s.drain.end(ErrDrainCancelled)
	s.draining.Store(false)
	return true
}

func (d *drain) begin(ctx context.Context, s *Server) (context.Context, chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end(context.Canceled)
	s.draining.Store(true)
	ctx, d.cancel = context.WithCancelCause(ctx)
	d.done = make(chan struct{})
	return ctx, d.done
}

// end returns when no connection is closed any more. Under mu.
func (d *drain) end(cause error) {
	if d.cancel != nil {
		d.cancel(cause)
		<-d.done
		d.cancel = nil
	}
}

func (d *drain) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end(context.Canceled)
}

func (s *Server) sendAway(ctx context.Context) error {
	if err := pause(ctx, s.opts.DrainDelay); err != nil {
		return context.Cause(ctx)
	}
	window := s.opts.DrainWindow
	if end, ok := ctx.Deadline(); ok {
		window = max(min(window, time.Until(end)*3/4), drainSlice) // the rest is for closing
	}
	conns := s.conns.all()
	plan := s.opts.plan(len(conns), window)
	start, told := time.Now(), 0
	tick := time.NewTicker(drainSlice)
	defer tick.Stop()
	for {
		for due := plan.due(time.Since(start), len(conns)); told < due; told++ {
			if ss := sessionOf(conns[told]); ss != nil { // else it was accepted in this moment
				s.sendElsewhere(conns[told], shuttingDown, rand.N(plan.spread))
			}
		}
		if told == len(conns) {
			s.sendLateAway()
			return context.Cause(ctx)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// sendLateAway is for those who were let in just before the drain began and were
// greeted after.
func (s *Server) sendLateAway() {
	for _, c := range s.conns.all() {
		if c.ReadyState() == engine.Open && sessionOf(c) != nil {
			s.sendElsewhere(c, shuttingDown, drainSlice)
		}
	}
}

const shuttingDown = "server is shutting down: reconnect"

// sendElsewhere closes c and tells it when to come back.
func (s *Server) sendElsewhere(c *engine.Conn, reason string, after time.Duration) {
	data := strconv.AppendInt([]byte(`{"code":`), protocol.CodeReconnect, 10)
	data = protocol.AppendString(append(data, `,"message":`...), reason)
	data = strconv.AppendInt(append(data, `,"reconnect_after_ms":`...), after.Milliseconds(), 10)
	s.send(c, protocol.EventError, "", append(data, '}'))
	// A connection that is closing already needs nothing more.
	_ = c.Close(protocol.CodeReconnect, reason)
}

// serveDrain is for operators: POST begins a drain, DELETE cancels it, and GET
// tells how far it is.
func (s *Server) serveDrain(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		if n, err := io.Copy(io.Discard, io.LimitReader(r.Body, 1)); n > 0 || err != nil {
			writeError(w, httpErrorf(http.StatusBadRequest, "a drain takes no body: its rate and window are options of the server"))
			return
		}
		s.opts.Logger.Info("drain begins, as an operator asked")
		ctx, done := s.drain.begin(context.Background(), s)
		go func() {
			defer close(done)
			s.opts.Logger.Info("drain ended", "err", s.sendAway(ctx))
		}()
	case http.MethodDelete:
		if !s.CancelDrain() {
			writeError(w, httpErrorf(http.StatusConflict, "no drain is under way"))
			return
		}
		s.opts.Logger.Info("drain cancelled, as an operator asked")
	case http.MethodGet:
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		writeError(w, httpErrorf(http.StatusMethodNotAllowed, "method %s is not allowed here: use GET, POST or DELETE", clip(r.Method)))
		return
	}
	writeJSON(w, http.StatusOK, drainState{s.draining.Load(), s.conns.size()})
}

type drainState struct {
	Draining    bool `json:"draining"`
	Connections int  `json:"connections"`
}
