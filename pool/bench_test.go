package pool

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/panjf2000/ants/v2"
)

// The hand-offs are compared with at most this many tasks under way, so that
// none is measured by how much memory it may fill.
const underWay = 4096

var batchSizes = []int{1, 16, 64, 512}

// handOff submits b.N tasks in batches and waits for the last. The figures are
// per task and cover both sides.
func handOff(b *testing.B, size int, done *atomic.Int64, submit func([]*task)) {
	batch := tasks(size, nil)
	b.ReportAllocs()
	b.ResetTimer()
	sent := int64(0)
	for sent < int64(b.N) {
		for sent-done.Load() > underWay {
			runtime.Gosched()
		}
		submit(batch)
		sent += int64(size)
	}
	for done.Load() < sent {
		runtime.Gosched()
	}
}

func BenchmarkHandOff(b *testing.B) {
	for _, size := range batchSizes {
		b.Run(fmt.Sprintf("queue/batch=%d", size), func(b *testing.B) {
			var done atomic.Int64
			w := open(b, Options{})
			q := NewQueue(w, newScratch, nil, func(*scratch, *task) { done.Add(1) })
			handOff(b, size, &done, q.Submit)
		})
	}
	for _, n := range []int{1, 4} {
		b.Run(fmt.Sprintf("channel/goroutines=%d", n), func(b *testing.B) {
			var done atomic.Int64
			ch := make(chan *task, underWay)
			for range n {
				go func() {
					for range ch {
						done.Add(1)
					}
				}()
			}
			defer close(ch)
			handOff(b, 64, &done, func(batch []*task) {
				for _, t := range batch {
					ch <- t
				}
			})
		})
	}
	b.Run("ants", func(b *testing.B) {
		var done atomic.Int64
		p, err := ants.NewPoolWithFuncGeneric(1024, func(*task) { done.Add(1) })
		if err != nil {
			b.Fatal(err)
		}
		defer p.Release()
		handOff(b, 64, &done, func(batch []*task) {
			for _, t := range batch {
				if err := p.Invoke(t); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkTick is what the monitor costs every Stall while tasks are queued.
func BenchmarkTick(b *testing.B) {
	w := open(b, Options{})
	for range 4 {
		NewQueue(w, newScratch, nil, runTask)
	}
	sched := schedSamples()
	b.ReportAllocs()
	for b.Loop() {
		w.tick(w.opts.Stall, sched)
	}
}

// BenchmarkWake hands over one batch at a time to an idle queue, so that each
// one wakes the warm worker.
func BenchmarkWake(b *testing.B) {
	for _, size := range batchSizes {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			var done atomic.Int64
			w := open(b, Options{})
			q := NewQueue(w, newScratch, nil, func(*scratch, *task) { done.Add(1) })
			batch := tasks(size, nil)
			b.ReportAllocs()
			b.ResetTimer()
			for sent := int64(0); sent < int64(b.N); {
				q.Submit(batch)
				sent += int64(size)
				for done.Load() < sent {
					runtime.Gosched()
				}
			}
		})
	}
}
