package pool

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// gate lets tasks block until it is opened, at the latest as the test ends.
type gate struct {
	ch     chan struct{}
	inside atomic.Int32
}

func newGate(t *testing.T) *gate {
	g := &gate{ch: make(chan struct{})}
	t.Cleanup(g.open)
	return g
}

func (g *gate) wait() {
	g.inside.Add(1)
	<-g.ch
	g.inside.Add(-1)
}

func (g *gate) open() {
	select {
	case <-g.ch:
	default:
		close(g.ch)
	}
}

func TestSleepersDoNotHoldOthersBack(t *testing.T) {
	for _, cores := range []int{1, 2} {
		w := open(t, Options{})
		setCores(t, cores)
		q := NewQueue(w, newScratch, nil, runTask)
		q.Submit(tasks(64, func() { time.Sleep(time.Second) }))
		waits := make([]time.Duration, 500)
		var done atomic.Int32
		for i := range waits {
			sent := time.Now()
			q.Push(&task{do: func() {
				waits[i] = time.Since(sent)
				done.Add(1)
			}})
			time.Sleep(time.Millisecond)
		}
		until(t, "the others ran", func() bool { return int(done.Load()) == len(waits) })
		slices.Sort(waits)
		p99 := waits[len(waits)*99/100]
		t.Logf("GOMAXPROCS %d: median %v, p99 %v, max %v", cores, waits[len(waits)/2], p99, waits[len(waits)-1])
		if p99 > 100*time.Millisecond {
			t.Errorf("GOMAXPROCS %d: p99 %v beside 64 sleepers", cores, p99)
		}
		if s := w.Stats(); s.Waited == 0 || s.WaitTime == 0 {
			t.Errorf("a stalled queue is not counted: %+v", s)
		}
	}
}

func TestLateTaskPassesABlockedOne(t *testing.T) {
	w := open(t, Options{})
	g := newGate(t)
	q := NewQueue(w, newScratch, nil, runTask)
	q.Push(&task{do: g.wait})
	until(t, "the only worker blocks and the monitor sleeps", func() bool {
		return g.inside.Load() == 1 && !w.ticking.Load()
	})
	x := &task{}
	q.Push(x)
	until(t, "a task that came later ran", func() bool { return x.ran.Load() == 1 })
}

func setCores(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func TestShrinksToTheWarmWorker(t *testing.T) {
	w := open(t, Options{})
	g := newGate(t)
	q := NewQueue(w, newScratch, nil, runTask)
	q.Submit(tasks(20, g.wait))
	until(t, "20 handlers blocked at once", func() bool { return g.inside.Load() == 20 })
	g.open()
	until(t, "one worker is left, warm", func() bool {
		s := w.Stats()
		return s.Running == 1 && s.Busy == 0
	})
	started := w.Stats().Started
	x := &task{}
	q.Push(x)
	until(t, "the warm worker ran a task", func() bool { return x.ran.Load() == 1 })
	if s := w.Stats(); s.Started != started {
		t.Fatalf("ants was asked for %d workers with one warm", s.Started-started)
	}
}

func TestSubmitNeverBlocks(t *testing.T) {
	w := open(t, Options{Max: 4})
	g := newGate(t)
	q := NewQueue(w, newScratch, nil, runTask)
	q.Submit(tasks(10, g.wait))
	until(t, "Max handlers block", func() bool { return g.inside.Load() == 4 })
	rest := tasks(10_000, nil)
	submitted := make(chan struct{})
	go func() {
		for i := 0; i < len(rest); i += 10 {
			q.Submit(rest[i : i+10])
		}
		close(submitted)
	}()
	select {
	case <-submitted:
	case <-time.After(10 * time.Second):
		t.Fatal("Submit blocks while all workers do")
	}
	until(t, "the cap is counted", func() bool { return w.Stats().Overloads > 0 })
	if s := w.Stats(); s.Running != 4 || s.Queued != 10_006 || q.Len() != s.Queued {
		t.Fatalf("4 of 10 blocked, 10,000 more: %+v, Len %d", s, q.Len())
	}
	g.open()
	until(t, "the queue is drained", func() bool { return q.Len() == 0 })
}

func TestOverloadKeepsTheTask(t *testing.T) {
	w := open(t, Options{Max: 1})
	g := newGate(t)
	if err := w.ants.Invoke(&crew{drain: g.wait}); err != nil { // as if a worker had left, but not yet for ants
		t.Fatal(err)
	}
	until(t, "the monitor sleeps", func() bool { return !w.ticking.Load() })
	q, x := NewQueue(w, newScratch, nil, runTask), &task{}
	q.Push(x)
	if s := w.Stats(); s.Overloads == 0 || s.Queued != 1 || s.Running != 0 { // the monitor may have asked again
		t.Fatalf("after a Push that ants had nobody for: %+v", s)
	}
	g.open()
	until(t, "the task ran", func() bool { return x.ran.Load() == 1 })
}

func TestEveryQueueHasItsWorker(t *testing.T) {
	w := open(t, Options{Max: 2})
	g := newGate(t)
	greedy := NewQueue(w, newScratch, nil, runTask)
	NewQueue(w, newScratch, nil, runTask)
	other := NewQueue(w, newScratch, nil, runTask)
	greedy.Submit(tasks(10, g.wait))
	until(t, "the cap stops the greedy one", func() bool { return w.Stats().Overloads > 0 })
	x := &task{}
	other.Push(x)
	until(t, "another queue's task ran", func() bool { return x.ran.Load() == 1 })
}

func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

// On one core the monitor runs when the sleepers wake, and finds it taken: there
// such a queue waits until it stands still.
func TestBriefBlockersGetCompany(t *testing.T) {
	setCores(t, 2)
	w := open(t, Options{})
	q := NewQueue(w, newScratch, nil, runTask)
	q.Submit(tasks(600, func() { time.Sleep(500 * time.Microsecond) }))
	until(t, "more than one worker although the queue moves", func() bool { return w.Stats().Running > 1 })
}

func TestComputingTasksGetNoCrowd(t *testing.T) {
	setCores(t, 1)
	for _, c := range []struct {
		name  string
		n     int
		each  time.Duration
		crowd int
	}{
		{"short", 10_000, 30 * time.Microsecond, 2},
		{"long", 15, 60 * time.Millisecond, 8},
	} {
		w := open(t, Options{})
		var most, done atomic.Int32
		q := NewQueue(w, newScratch, nil, runTask)
		q.Submit(tasks(c.n, func() {
			spin(c.each)
			most.Store(max(most.Load(), int32(w.Stats().Running)))
			done.Add(1)
		}))
		until(t, "all ran", func() bool { return int(done.Load()) == c.n })
		t.Logf("%s: at most %d workers", c.name, most.Load())
		if int(most.Load()) > c.crowd {
			t.Errorf("%s: %d workers compute on one core", c.name, most.Load())
		}
	}
}
