package pool

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"weak"
)

func TestPanicIsContained(t *testing.T) {
	var told atomic.Value
	w := open(t, Options{Panic: func(v any, stack []byte) {
		if strings.Contains(string(stack), "TestPanicIsContained") {
			told.Store(v)
		}
	}})
	q := NewQueue(w, newScratch, nil, runTask)
	q.Push(&task{do: func() { panic("boom") }})
	after := &task{}
	q.Push(after)
	until(t, "the next task ran", func() bool { return after.ran.Load() == 1 })
	if told.Load() != "boom" {
		t.Errorf("Panic was told %v", told.Load())
	}
	if s := w.Stats(); s.Panics != 1 || s.Started != 1 {
		t.Errorf("the worker did not go on: %+v", s)
	}
}

func TestGoexitCostsOneWorker(t *testing.T) {
	w := open(t, Options{})
	q := NewQueue(w, newScratch, nil, runTask)
	after := &task{}
	q.Submit([]*task{{do: runtime.Goexit}, after})
	until(t, "the next task ran", func() bool { return after.ran.Load() == 1 })
	if s := w.Stats(); s.Running != 1 {
		t.Errorf("after Goexit: %+v", s)
	}
}

func TestCloseDrains(t *testing.T) {
	w := open(t, Options{})
	q := NewQueue(w, newScratch, nil, runTask)
	all := tasks(50, func() { time.Sleep(time.Millisecond) })
	q.Submit(all)
	shut(t, w)
	for _, x := range all {
		if x.ran.Load() != 1 {
			t.Fatalf("task %d ran %d times before Close returned", x.seq, x.ran.Load())
		}
	}
	q.Submit(all)
	q.Push(all[0])
	if s := w.Stats(); s.Refused != 51 || s.Queued != 0 || s.Running != 0 {
		t.Errorf("after Close: %+v", s)
	}
	shut(t, w)
}

func TestCloseNamesWhoStillRuns(t *testing.T) {
	w := open(t, Options{})
	g := newGate(t)
	q := NewQueue(w, newScratch, nil, runTask)
	NewQueue(w, newScratch, nil, runTask)
	q.Submit(tasks(3, g.wait))
	until(t, "three handlers block", func() bool { return g.inside.Load() == 3 })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	err := w.Close(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 workers") {
		t.Fatalf("Close with three handlers blocked: %v", err)
	}
}

func TestScratchIsReused(t *testing.T) {
	w := open(t, Options{})
	var made, gone atomic.Int32
	q := NewQueue(w, func() *scratch { made.Add(1); return newScratch() }, func(*scratch) { gone.Add(1) }, runTask)
	for range 20 {
		x := &task{}
		q.Push(x)
		until(t, "the queue is idle again", func() bool { return x.ran.Load() == 1 && w.Stats().Busy == 0 })
	}
	if made.Load() != 1 {
		t.Fatalf("%d scratches for one worker", made.Load())
	}
	for range 4 {
		g := newGate(t)
		q.Submit(tasks(8, g.wait))
		until(t, "eight handlers block", func() bool { return g.inside.Load() == 8 })
		g.open()
		until(t, "the queue is idle again", func() bool { return w.Stats().Running == 1 && w.Stats().Busy == 0 })
	}
	if made.Load() > keptScratches || gone.Load() != 0 {
		t.Errorf("%d scratches for bursts of 8 workers, %d discarded", made.Load(), gone.Load())
	}
	g := newGate(t)
	q.Submit(tasks(4*keptScratches, g.wait))
	until(t, "a larger burst blocks", func() bool { return g.inside.Load() == 4*keptScratches })
	g.open()
	until(t, "the queue is idle again", func() bool { return w.Stats().Running == 1 && w.Stats().Busy == 0 })
	if left := made.Load() - gone.Load(); left < keptScratches || left > keptScratches+1 {
		t.Errorf("%d of %d scratches were not discarded; %d are kept, and one is with the warm worker", left, made.Load(), keptScratches)
	}
}

func TestIdleHoldsOneGoroutineAQueue(t *testing.T) {
	const monitor, ants, warm = 1, 2, 3
	before := runtime.NumGoroutine()
	w := open(t, Options{})
	for range warm {
		q, x := NewQueue(w, newScratch, nil, runTask), &task{}
		q.Push(x)
		until(t, "the task ran", func() bool { return x.ran.Load() == 1 })
	}
	// At most: goroutines of the test before may have ended since they were counted.
	until(t, "only the monitor, ants' two and three warm workers", func() bool {
		return runtime.NumGoroutine() <= before+monitor+ants+warm && w.Stats().Running == warm
	})
	until(t, "the monitor sleeps", func() bool { return !w.ticking.Load() })
}

func TestTwoWorkersShareNothing(t *testing.T) {
	a, b := open(t, Options{Max: 1}), open(t, Options{Max: 1})
	g := newGate(t)
	qa, qb := NewQueue(a, newScratch, nil, runTask), NewQueue(b, newScratch, nil, runTask)
	qa.Submit(tasks(5, g.wait))
	until(t, "a is full", func() bool { return g.inside.Load() == 1 })
	x := &task{do: func() { panic("b's") }}
	qb.Push(x)
	until(t, "b ran its task", func() bool { return b.Stats().Panics == 1 })
	shut(t, b)
	if s := a.Stats(); s.Panics != 0 || s.Running != 1 || s.Queued != 4 {
		t.Errorf("a after b's panic and Close: %+v", s)
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	w := open(t, Options{})
	q := NewQueue(w, newScratch, nil, runTask)
	x := &task{}
	gone := weak.Make(x)
	q.Push(x)
	until(t, "the task ran", func() bool { return x.ran.Load() == 1 })
	x = nil
	until(t, "a task that ran is garbage", func() bool { runtime.GC(); return gone.Value() == nil })

	q.Submit(tasks(3*keptSlots, nil))
	until(t, "the large ring is gone", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.queued() == 0 && len(q.ring) <= keptSlots
	})
}

func TestLimitsAreChecked(t *testing.T) {
	for _, o := range []Options{{Max: -1}, {Stall: -time.Second}} {
		if _, err := NewWorkers(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
