package pool

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Importing ants began a pool of its own.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// task is what a connection is to the engine: something pointed to.
type task struct {
	seq int
	ran atomic.Int32
	do  func()
}

type scratch struct{ buf []byte }

func newScratch() *scratch { return &scratch{make([]byte, 64)} }

func runTask(_ *scratch, t *task) {
	if t.do != nil {
		t.do()
	}
	t.ran.Add(1)
}

func open(t testing.TB, o Options) *Workers {
	t.Helper()
	w, err := NewWorkers(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, w) })
	return w
}

func shut(t testing.TB, w *Workers) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		t.Error(err)
	}
}

// until waits for what a rule promises to become true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("after 10 s still not: %s", what)
		}
	}
}

func tasks(n int, do func()) []*task {
	all := make([]*task, n)
	for i := range all {
		all[i] = &task{seq: i, do: do}
	}
	return all
}

func TestOneWorkerKeepsTheOrder(t *testing.T) {
	w := open(t, Options{Max: 1})
	var got []int
	var n atomic.Int32
	q := NewQueue(w, newScratch, nil, func(_ *scratch, x *task) {
		got = append(got, x.seq)
		n.Add(1)
	})
	all := tasks(10_000, nil)
	for i := 0; i < len(all); {
		k := min(1+i%700, len(all)-i)
		q.Submit(all[i : i+k])
		i += k
	}
	until(t, "all ran", func() bool { return int(n.Load()) == len(all) })
	for i, seq := range got {
		if i != seq {
			t.Fatalf("place %d went to task %d", i, seq)
		}
	}
}

func TestSubmitCopiesTheBatch(t *testing.T) {
	w := open(t, Options{})
	q := NewQueue(w, newScratch, nil, runTask)
	first, second := tasks(64, nil), tasks(64, nil)
	batch := append([]*task(nil), first...)
	q.Submit(batch)
	copy(batch, second)
	q.Submit(batch)
	clear(batch)
	until(t, "each ran once", func() bool {
		for i := range first {
			if first[i].ran.Load() != 1 || second[i].ran.Load() != 1 {
				return false
			}
		}
		return true
	})
}

func TestEachTaskRunsOnce(t *testing.T) {
	w := open(t, Options{Max: 16})
	const submitters, batches, size = 4, 300, 17
	q := NewQueue(w, newScratch, nil, runTask)
	all := tasks(submitters*batches*size, nil)
	for i, x := range all {
		if i%97 == 0 {
			x.do = func() { time.Sleep(3 * time.Millisecond) } // others join
		}
	}
	for s := range submitters {
		go func() {
			mine := all[s*batches*size : (s+1)*batches*size]
			for len(mine) > 0 {
				q.Submit(mine[:size-1])
				q.Push(mine[size-1])
				mine = mine[size:]
			}
		}()
	}
	until(t, "all ran", func() bool {
		for _, x := range all {
			if x.ran.Load() == 0 {
				return false
			}
		}
		return true
	})
	shut(t, w)
	for _, x := range all {
		if n := x.ran.Load(); n != 1 {
			t.Fatalf("task %d ran %d times", x.seq, n)
		}
	}
}

func TestPushFromRunGoesToTheTail(t *testing.T) {
	w := open(t, Options{})
	var q *Queue[*task, scratch]
	var got []int
	var n atomic.Int32
	q = NewQueue(w, newScratch, nil, func(_ *scratch, x *task) {
		got = append(got, x.seq)
		if n.Add(1) <= 3 {
			q.Push(x)
		}
	})
	q.Submit(tasks(3, nil))
	until(t, "six turns", func() bool { return n.Load() == 6 })
	shut(t, w)
	for i, seq := range got {
		if seq != i%3 {
			t.Fatalf("turns went to %v", got)
		}
	}
	if s := w.Stats(); s.Started != 1 {
		t.Fatalf("%d workers came for one worker's own pushes", s.Started)
	}
}
