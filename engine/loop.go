package engine

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/poller"
	"github.com/roost-ws/roost/pool"
)

// tick is the grain of all time limits: they act up to one tick late, never
// early.
const tick = 100 * time.Millisecond

// loop waits for readiness and hands on what became ready.
type loop struct {
	e     *Engine
	index int // in e.loops
	sys   kernel
	poll  watcher
	queue runQueue // nil with DispatchLoop
	bytes codec.Bytes
	ins   sync.Pool // of *inbound, zeroed
	outs  outboxes
	vecs  vectors
	eds   editions
	wheel wheel
	mail  mailbox
	stats counters

	weighed atomic.Int64 // bytes, of what the budget's used is the sum
	chokes  chokes
	now     atomic.Uint32 // ticks, as of the last time that the loop woke
	ended   chan struct{} // closed when nobody reads mail any more

	// Owned by the loop's goroutine.
	events    []poller.Event
	batch     []*Conn
	passes    []*pass // topics with something to deliver
	casting   int     // of passes: whose turn it is
	idle      []*pass // for topics to come
	members   []*seat // of cast
	listeners []*listener
	scratch   *scratch // of DispatchLoop
	stopped   bool
	shedder   shedder
}

func newLoop(e *Engine, index int) (*loop, error) {
	p, err := e.sys.Poller()
	if err != nil {
		return nil, err
	}
	l := &loop{e: e, index: index, sys: e.sys, poll: p, ended: make(chan struct{}), events: make([]poller.Event, e.cfg.Batch)}
	l.now.Store(e.now())
	l.wheel.at = e.now()
	if e.workers != nil {
		l.queue = pool.NewQueue(e.workers, l.newScratch, l.discard, (*scratch).turn)
	} else {
		l.scratch = l.newScratch()
	}
	return l, nil
}

// run is the loop's goroutine.
func (l *loop) run() {
	defer l.end()
	for !l.stopped {
		if err := l.step(); err != nil {
			if !errors.Is(err, poller.ErrClosed) {
				l.e.log.Error("event loop ended", "err", err)
			}
			return
		}
	}
}

// step is one turn of the loop.
func (l *loop) step() error {
	n, err := l.wait()
	if err != nil {
		return err
	}
	l.clock()
	l.underBudget()
	l.ready(l.events[:n])
	l.deliver()
	l.accept()
	l.cast()
	l.dispatch()
	return nil
}

// wait blocks only when nothing is left to do.
func (l *loop) wait() (int, error) {
	if l.busy() {
		return l.poll.Poll(l.events)
	}
	return l.poll.Wait(l.events, l.until())
}

// until is when to look again although nothing became ready: zero for never.
func (l *loop) until() time.Time {
	due := l.due()
	if l.queue != nil && l.queue.Len() > 0 {
		if soon := l.e.start.Add(l.sys.Since(l.e.start) + busyLook); due.IsZero() || soon.Before(due) {
			return soon
		}
	}
	return due
}

// busyLook is how long the loop sleeps while connections wait for a worker. With
// every processor busy Go looks for ready descriptors each 10 ms at best, but at its
// timers whenever it changes goroutines.
const busyLook = time.Millisecond

func (l *loop) busy() bool {
	if len(l.batch) > 0 || len(l.passes) > 0 || l.sheds() {
		return true
	}
	for _, in := range l.listeners {
		if in.ready {
			return true
		}
	}
	return false
}

// due is when the wheel has something next: the end of a tick.
func (l *loop) due() time.Time {
	at, ok := l.wheel.next()
	for _, in := range l.listeners {
		if in.starved || in.holding {
			at, ok = l.now.Load()+1, true
		}
	}
	if l.e.budget.level.Load() != calm {
		at, ok = l.now.Load()+1, true
	}
	if !ok {
		return time.Time{}
	}
	return l.e.start.Add(time.Duration(at) * tick)
}

// clock moves the loop's time and wakes the connections whose deadline came.
func (l *loop) clock() {
	now := l.e.now()
	if now == l.now.Load() {
		return
	}
	l.now.Store(now)
	for _, c := range l.wheel.advance(now) {
		l.mark(c, markTimer)
	}
	for _, in := range l.listeners {
		in.retry()
	}
}

// ready marks the connections of a batch of events. One whose descriptor number
// now belongs to another loop is stale (R4).
func (l *loop) ready(events []poller.Event) {
	for _, ev := range events {
		if c := l.e.table.get(ev.FD); c != nil {
			if c.loop == l {
				l.mark(c, uint32(ev.Ready))
			}
			continue
		}
		for _, in := range l.listeners {
			if int32(in.fd) == ev.FD {
				in.ready = true
			}
		}
	}
}

// mark notes what happened to c and puts it into this turn's batch, unless it is
// there already or a worker holds it (R2).
func (l *loop) mark(c *Conn, marks uint32) {
	if c.work.Or(marks|held)&held == 0 {
		l.batch = append(l.batch, c)
	}
}

// dispatch hands the batch on: to the workers in one go, or to itself.
func (l *loop) dispatch() {
	if l.queue != nil {
		if len(l.batch) > 0 {
			l.queue.Submit(l.batch)
			l.batch = l.batch[:0]
		}
		return
	}
	// A connection that wants another turn appends itself: only those of now.
	n := len(l.batch)
	for i := range n {
		l.scratch.turn(l.batch[i])
	}
	l.batch = append(l.batch[:0], l.batch[n:]...)
}

// requeue puts c, whose turn the caller holds, at the tail of the run queue.
func (l *loop) requeue(c *Conn) {
	if l.queue != nil {
		l.queue.Push(c)
	} else {
		l.batch = append(l.batch, c)
	}
}

// enqueue puts c onto the run queue from any goroutine. The caller has won c's
// held bit.
func (l *loop) enqueue(c *Conn) {
	if l.queue != nil {
		l.queue.Push(c)
	} else {
		l.post(order{kind: orderRun, conn: c})
	}
}

// arm asks the wheel for c's turn at tick due.
func (l *loop) arm(c *Conn, due uint32) {
	if l.wheel.arm(c, due) {
		l.wake()
	}
}

func (l *loop) wake() {
	if err := l.poll.Wake(); err != nil && !errors.Is(err, poller.ErrClosed) {
		l.e.log.Error("wake-up failed", "err", err)
	}
}

func (l *loop) end() {
	defer close(l.ended)
	for _, in := range l.listeners {
		in.close()
	}
	if err := l.poll.Close(); err != nil {
		l.e.log.Error("poller close failed", "err", err)
	}
}
