package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-ws/roost/pool"
)

// Dispatch is where handlers run.
type Dispatch uint8

const (
	// DispatchPool runs handlers on worker goroutines: they may block.
	DispatchPool Dispatch = iota
	// DispatchLoop runs handlers on the loop itself. It saves the hand-off, and
	// a handler that blocks stops every connection of its loop.
	DispatchLoop
)

// Config is what an Engine is made of. The zero value is ready to use.
type Config struct {
	// Loops is the number of event loops; 0 is one a usable core (GOMAXPROCS).
	Loops int
	// Workers is the most worker goroutines at once, for all loops; 0 is 4096.
	// It is a bound on handlers that block at the same time.
	Workers  int
	Dispatch Dispatch
	// Batch is the most events taken from the kernel at once; 0 is 512.
	Batch int
	// ReadBuffer is the size in bytes of each worker's read buffer, and so the
	// most that a connection's turn reads; 0 is 64 KiB.
	ReadBuffer int
	// MaxConns is the most connections at once; those above are answered 503.
	// 0 is no limit but the descriptors.
	MaxConns int
	// MemoryBudget is the most bytes that connections may hold in all: outboxes, messages
	// that have come in part, TLS records on their way, windows of permessage-deflate.
	// Towards it the engine does more and more: from 7/8 on it does not read from those
	// that hold some; from 15/16 on it answers upgrades with 503, and sends that would
	// have to wait with a *BudgetError; at all of it, it closes those that hold the most,
	// with 1013. Each ends 1/8 below where it began. 0 is no limit. What the garbage
	// collector has not taken back comes on top: see docs/tuning.md.
	MemoryBudget int64
	// Logger is told of what no caller hears of: contained panics, descriptors
	// exhausted. nil discards.
	Logger *slog.Logger
}

const (
	defaultBatch      = 512
	defaultReadBuffer = 64 << 10
	minReadBuffer     = 4 << 10
	minBudget         = 4 << 20
	maxReadBuffer     = 16 << 20
)

func (c *Config) fill() error {
	if c.Loops == 0 {
		c.Loops = runtime.GOMAXPROCS(0)
	}
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	if c.ReadBuffer == 0 {
		c.ReadBuffer = defaultReadBuffer
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Loops < 0 || c.Loops > 1024:
		return fmt.Errorf("engine: Loops %d: want 1 to 1024, or 0 for one a core", c.Loops)
	case c.Batch < 0 || c.Batch > 1<<16:
		return fmt.Errorf("engine: Batch %d: want 1 to %d events, or 0 for %d", c.Batch, 1<<16, defaultBatch)
	case c.ReadBuffer < minReadBuffer || c.ReadBuffer > maxReadBuffer:
		return fmt.Errorf("engine: ReadBuffer %d: want %d to %d bytes, or 0 for %d",
			c.ReadBuffer, minReadBuffer, maxReadBuffer, defaultReadBuffer)
	case c.Workers < 0:
		return fmt.Errorf("engine: Workers %d: want at least 1, or 0 for the default", c.Workers)
	case c.MemoryBudget < 0 || c.MemoryBudget > 0 && c.MemoryBudget < minBudget:
		return fmt.Errorf("engine: MemoryBudget %d: want at least %d bytes, or 0 for no limit", c.MemoryBudget, minBudget)
	case c.MaxConns < 0:
		return fmt.Errorf("engine: MaxConns %d: want at least 1, or 0 for no limit", c.MaxConns)
	case c.Dispatch > DispatchLoop:
		return fmt.Errorf("engine: Dispatch %d: want DispatchPool or DispatchLoop", c.Dispatch)
	}
	return nil
}

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
	return e.loops[int(e.next.Add(1)-1)%len(e.loops)]
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
// still get their Close calls. Further calls wait for the first and return what
// it did.
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
