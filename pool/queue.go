package pool

import "runtime/debug"

const (
	firstSlots = 64
	// A larger ring is given back once the queue is found empty.
	keptSlots = 4096
	// Scratches kept for workers to come; those of a larger burst are discarded.
	keptScratches = 16
)

// Queue is a run queue: tasks of type T, a pointer, leave it in the order in
// which they came. S is a worker's scratch, such as its read buffer. All
// methods may be called from any goroutine and never block.
type Queue[T, S any] struct {
	crew
	scratch func() *S
	discard func(*S) // or nil
	run     func(*S, T)

	// Guarded by crew.mu.
	ring  []T // a power of two long; task i is at i modulo that
	spare []*S
}

// NewQueue adds a queue to w, for as long as w lives. run is called once for
// each task; calls overlap, with different scratches, when handlers block or a
// core is idle. scratch makes what run gets beside the task: at most one per
// worker, and what a worker leaves behind is given to the next. What nobody will
// get any more, after a burst, goes to discard, if that is not nil; it must neither
// block nor call the queue.
func NewQueue[T, S any](w *Workers, scratch func() *S, discard func(*S), run func(*S, T)) *Queue[T, S] {
	q := &Queue[T, S]{scratch: scratch, discard: discard, run: run}
	q.w = w
	q.wake.L = &q.mu
	q.drain = q.shift
	q.trim = q.shrink
	w.join(&q.crew)
	return q
}

// Submit appends the tasks of batch in one hand-off: one lock and at most one
// wake-up. The slice stays the caller's. The queue has no limit of its own: a
// caller that queues each T at most once bounds it. After Close the tasks are
// dropped and counted as refused.
func (q *Queue[T, S]) Submit(batch []T) {
	if len(batch) == 0 {
		return
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		q.w.refused.Add(uint64(len(batch)))
		return
	}
	q.reserve(len(batch))
	at := int(q.tail) & (len(q.ring) - 1)
	n := copy(q.ring[at:], batch)
	copy(q.ring, batch[n:])
	q.tail += uint64(len(batch))
	s := q.summon()
	q.mu.Unlock()
	q.call(s)
}

// Push is Submit for one task. A run function may push its own task again: it
// goes to the tail, and a lone worker wakes nobody for it.
func (q *Queue[T, S]) Push(t T) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		q.w.refused.Add(1)
		return
	}
	q.reserve(1)
	q.ring[int(q.tail)&(len(q.ring)-1)] = t
	q.tail++
	s := q.summon()
	q.mu.Unlock()
	q.call(s)
}

// Len returns the number of tasks that wait for a worker.
func (q *Queue[T, S]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queued()
}

// reserve makes room for n more, under the lock.
func (q *Queue[T, S]) reserve(n int) {
	need := q.queued() + n
	if need <= len(q.ring) {
		return
	}
	size := max(firstSlots, len(q.ring))
	for size < need {
		size *= 2
	}
	ring := make([]T, size)
	for i := q.head; i != q.tail; i++ {
		ring[int(i)&(size-1)] = q.ring[int(i)&(len(q.ring)-1)]
	}
	q.ring = ring
}

// shrink is called by the monitor and not whenever the queue is empty: a busy
// queue is empty many times a millisecond.
func (q *Queue[T, S]) shrink() {
	if len(q.ring) > keptSlots {
		q.ring = nil
	}
}

// next takes the task at the head, waiting for one if the worker may stay. If
// it may not, its scratch goes back.
func (q *Queue[T, S]) next(s *S) (t T, ok bool) {
	q.mu.Lock()
	for q.head == q.tail {
		if !q.rest() {
			if len(q.spare) < keptScratches {
				q.spare = append(q.spare, s)
			} else if q.discard != nil {
				q.discard(s) // under the lock: Close must not be done before it
			}
			q.mu.Unlock()
			return t, false
		}
	}
	var none T
	slot := &q.ring[int(q.head)&(len(q.ring)-1)]
	t, *slot = *slot, none
	q.head++
	left := q.queued()
	q.mu.Unlock()
	if left > 0 && !q.w.ticking.Load() {
		q.w.alert()
	}
	return t, true
}

// shift is one worker's stay: an ants task.
func (q *Queue[T, S]) shift() {
	left := false
	defer func() {
		if !left { // a handler called runtime.Goexit
			q.desert()
		}
	}()
	s := q.borrow()
	for !left {
		left = q.work(s)
	}
}

// work runs tasks until the worker must leave, which it tells, or one panics.
// The recover is here and not around each task because it costs nothing here.
// ants must not see a panic: it would end the goroutine.
func (q *Queue[T, S]) work(s *S) (left bool) {
	defer func() {
		if p := recover(); p != nil {
			q.w.panics.Add(1)
			if q.w.opts.Panic != nil {
				q.w.opts.Panic(p, debug.Stack())
			}
		}
	}()
	for {
		t, ok := q.next(s)
		if !ok {
			return true
		}
		q.run(s, t)
	}
}

func (q *Queue[T, S]) borrow() *S {
	q.mu.Lock()
	if n := len(q.spare); n > 0 {
		s := q.spare[n-1]
		q.spare[n-1] = nil
		q.spare = q.spare[:n-1]
		q.mu.Unlock()
		return s
	}
	q.mu.Unlock()
	return q.scratch()
}
