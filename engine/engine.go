package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-ws/roost/pool"
)

// Engine runs loops and the connections on them. Servers and dialers share one.
// All its methods may be called from several goroutines.
type Engine struct {
	cfg     Config
	log     *slog.Logger
	sys     kernel
	turn    int           // the most messages of one turn
	workers *pool.Workers // nil with DispatchLoop
	loops   []*loop
	table   table
	start   time.Time

	handshakes atomic.Int64 // TLS, under way
	bridges    sync.Map     // of net.Conn that have one

	conns  atomic.Int64  // descriptors held by connections, handshakes included
	plain  atomic.Int64  // connections that net/http took over, which MaxConns counts too
	next   atomic.Uint32 // round robin over loops
	panics atomic.Uint64
	budget budget

	running sync.WaitGroup
	closing atomic.Bool
	idle    chan struct{} // closed when conns falls to 0 while closing
	idled   sync.Once

	closed   sync.Once
	closeErr error
}

// ErrClosed is returned by calls on an Engine or Server that was closed.
var ErrClosed = errors.New("engine: closed")

// New starts an Engine. The error says which value of c is out of range, wraps
// errors.ErrUnsupported on systems with neither epoll nor kqueue, or is the
// system's.
func New(c Config) (*Engine, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	e, err := newEngine(c, system{})
	if err != nil {
		return nil, err
	}
	for _, l := range e.loops {
		e.running.Go(l.run)
	}
	return e, nil
}

// newEngine makes an Engine whose loops do not run yet. c was filled.
func newEngine(c Config, sys kernel) (*Engine, error) {
	e := &Engine{cfg: c, log: c.Logger, sys: sys, turn: turnMessages, start: time.Now(), idle: make(chan struct{})}
	e.budget = newBudget(c.MemoryBudget, c.Loops)
	if c.Dispatch == DispatchPool {
		w, err := pool.NewWorkers(pool.Options{Max: c.Workers, Panic: e.workerPanic})
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		e.workers = w
	}
	for i := range c.Loops {
		l, err := newLoop(e, i)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("engine: loop %d: %w", i, err), e.discard())
		}
		e.loops = append(e.loops, l)
	}
	return e, nil
}

// discard ends an Engine whose loops never ran.
func (e *Engine) discard() error {
	var errs []error
	for _, l := range e.loops {
		errs = append(errs, l.poll.Close())
	}
	if e.workers != nil {
		errs = append(errs, e.workers.Close(context.Background()))
	}
	return errors.Join(errs...)
}

// workerPanic hears of panics that Conn.serve did not contain: ours, then.
func (e *Engine) workerPanic(v any, stack []byte) {
	e.panics.Add(1)
	e.log.Error("panic outside a handler", "panic", v, "stack", string(stack))
}

// pick is the loop for the next connection.
func (e *Engine) pick() *loop {
	return e.loops[(e.next.Add(1)-1)%uint32(len(e.loops))]
}

// now is the engine's clock in ticks. A span of time that may begin outside of a
// turn begins with it, and not with loop.now, which stands still while the loop
// sleeps.
func (e *Engine) now() uint32 { return uint32(e.sys.Since(e.start) / tick) }

// ticks is d in whole ticks, with one more because the clock that it is added to
// was rounded down: no deadline comes early. 0 stays 0, which means off.
func ticks(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32((d+tick-1)/tick) + 1
}

// Shutdown tells every open connection that the server goes away (1001), waits
// until all are gone or ctx ends, terminates what is left, and closes the
// Engine. Servers on it should have been closed before, or new connections keep
// coming. The error is ctx's when connections had to be terminated.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.drain()
	e.table.each(func(c *Conn) { c.goAway() })
	var err error
	select {
	case <-e.idle:
	case <-ctx.Done():
		err = fmt.Errorf("engine: %d connections terminated: %w", e.conns.Load(), ctx.Err())
	}
	return errors.Join(err, e.Close())
}

// drain makes the last connection that leaves close e.idle.
func (e *Engine) drain() {
	e.closing.Store(true)
	if e.conns.Load() == 0 {
		e.idled.Do(func() { close(e.idle) })
	}
}

// left counts a connection out.
func (e *Engine) left() {
	if e.conns.Add(-1) == 0 && e.closing.Load() {
		e.idled.Do(func() { close(e.idle) })
	}
}

// closeGrace is how long Close waits for handlers that still run.
const closeGrace = 5 * time.Second

// Close terminates every connection and stops the loops and workers. Handlers
// still get their Close calls, and are waited for: a handler must not call it.
// Further calls wait for the first and return what it did.
func (e *Engine) Close() error {
	e.closed.Do(func() { e.closeErr = e.close() })
	return e.closeErr
}

func (e *Engine) close() error {
	e.drain()
	e.table.each(func(c *Conn) { c.Terminate() })
	var errs []error
	select {
	case <-e.idle:
	case <-time.After(closeGrace):
		errs = append(errs, fmt.Errorf("engine: closed while handlers of %d connections still run", e.conns.Load()))
	}
	for _, l := range e.loops {
		l.post(order{kind: orderStop})
	}
	e.running.Wait()
	if e.workers != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		errs = append(errs, e.workers.Close(ctx))
	}
	return errors.Join(errs...)
}
