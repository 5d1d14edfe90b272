package pool

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/ants/v2"
)

const (
	defaultMax   = 4096
	defaultStall = 2 * time.Millisecond

	// ants looks for goroutines that were idle this long once per such period.
	// It is long because each look wakes the process.
	idleExpiry = 10 * time.Second
)

// Options sets the limits of a Workers. The zero value is usable.
type Options struct {
	// Max is the cap on worker goroutines at once; 0 means 4096. Every queue
	// is entitled to one, so more queues than Max raise it to their number.
	Max int
	// Stall is how long a queue may stand still before it gets more workers;
	// 0 means 2 ms.
	Stall time.Duration
	// Panic is told of each contained panic, on the worker that had it, with
	// the value and the stack. It may be nil and must not panic itself.
	Panic func(value any, stack []byte)
}

// Workers is a set of goroutines that several queues share. Its methods may be
// called from any goroutine. Two Workers share nothing.
type Workers struct {
	opts Options
	ants *ants.PoolWithFuncGeneric[*crew]

	// ticking is false only while the monitor sleeps on wake.
	ticking atomic.Bool
	wake    chan struct{}
	gone    chan struct{} // closed by the monitor as it returns, after Close

	mu      sync.Mutex // taken before a crew's mu, never after
	crews   []*crew    // replaced, never changed, when a queue is added
	closing bool

	panics    atomic.Uint64
	started   atomic.Uint64
	overloads atomic.Uint64
	refused   atomic.Uint64
	waited    atomic.Uint64
	waitTime  atomic.Int64
}

// NewWorkers starts a monitor goroutine and the two housekeeping goroutines of
// an ants pool; workers come with the first task. It fails for negative
// limits. Close gives everything back.
func NewWorkers(o Options) (*Workers, error) {
	if o.Max < 0 || o.Stall < 0 {
		return nil, fmt.Errorf("pool: Max %d or Stall %v is negative: use 0 for the default", o.Max, o.Stall)
	}
	if o.Max == 0 {
		o.Max = defaultMax
	}
	if o.Stall == 0 {
		o.Stall = defaultStall
	}
	w := &Workers{
		opts: o,
		wake: make(chan struct{}, 1),
		gone: make(chan struct{}),
	}
	var err error
	w.ants, err = ants.NewPoolWithFuncGeneric(o.Max, func(c *crew) { c.drain() },
		ants.WithNonblocking(true), ants.WithExpiryDuration(idleExpiry))
	if err != nil {
		return nil, fmt.Errorf("pool: ants refuses %d workers: %w", o.Max, err)
	}
	w.ticking.Store(true) // it looks at everything before it first sleeps
	go w.monitor()
	return w, nil
}

// Stats is what a Workers did so far and what it holds now.
type Stats struct {
	Queued    int           // tasks waiting for a worker
	Running   int           // workers that hold a goroutine, the warm ones included
	Busy      int           // workers that are not warm: they run a task, or are about to
	Started   uint64        // shifts begun: workers drawn from ants
	Overloads uint64        // times ants had none to give; the tasks stayed queued
	Waited    uint64        // times a queue with tasks stood still for Stall
	WaitTime  time.Duration // how long queues stood still, summed
	Panics    uint64        // panics contained
	Refused   uint64        // tasks submitted after Close, and dropped
}

// Stats takes each queue's lock once. The figures of different queues are not
// of the same instant.
func (w *Workers) Stats() Stats {
	s := Stats{
		Started:   w.started.Load(),
		Overloads: w.overloads.Load(),
		Waited:    w.waited.Load(),
		WaitTime:  time.Duration(w.waitTime.Load()),
		Panics:    w.panics.Load(),
		Refused:   w.refused.Load(),
	}
	for _, c := range w.list() {
		c.mu.Lock()
		s.Queued += c.queued()
		s.Running += c.workers
		s.Busy += c.busy()
		c.mu.Unlock()
	}
	return s
}

// Close refuses new tasks, lets the queued ones run and waits until the last
// worker has left or ctx ends. In the latter case the error says how many
// still run and wraps ctx's cause; the draining goes on, and the goroutines
// end when the handlers return. Calling it again waits again. A handler must
// not call it: it would wait for itself.
func (w *Workers) Close(ctx context.Context) error {
	w.mu.Lock()
	for _, c := range w.crews { // before closing is seen: then nothing more comes
		c.close()
	}
	w.closing = true
	w.mu.Unlock()
	w.alert()
	select {
	case <-w.gone:
		return nil
	case <-ctx.Done():
	}
	s := w.Stats()
	return fmt.Errorf("pool: %d workers still run and %d tasks are queued: a handler does not return: %w",
		s.Busy, s.Queued, context.Cause(ctx))
}

// join adds a queue's crew. Seats are raised with it: no queue can be starved
// of its one worker by the others' blocked handlers.
func (w *Workers) join(c *crew) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crews = append(w.crews[:len(w.crews):len(w.crews)], c)
	c.closed = w.closing
	if len(w.crews) > w.opts.Max {
		w.ants.Tune(len(w.crews))
	}
}

func (w *Workers) list() []*crew {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.crews
}

// start draws a goroutine from ants for a worker that c counts already.
func (w *Workers) start(c *crew) {
	if err := w.ants.Invoke(c); err != nil {
		w.overloads.Add(1)
		c.desert()
		return
	}
	w.started.Add(1)
}
