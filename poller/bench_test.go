//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkWait times Wait alone, as ns/wait: making descriptors ready again is not part of it.
func BenchmarkWait(b *testing.B) {
	for _, ready := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(ready), func(b *testing.B) {
			p := openPoller(b)
			fds := make([]int, ready)
			for i := range fds {
				near, far := pair(b)
				send(b, far, "x")
				must(b, p.Update(near, 0, Readable))
				fds[i] = near
			}
			events := make([]Event, ready)
			if n, err := p.Wait(events, time.Time{}); n != ready || err != nil {
				b.Fatal(n, err)
			}
			b.ReportAllocs()
			var spent time.Duration
			for b.Loop() {
				for _, fd := range fds {
					must(b, p.Update(fd, Readable, Readable))
				}
				start := time.Now()
				n, err := p.Wait(events, time.Time{})
				spent += time.Since(start)
				if n != ready || err != nil {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "ns/wait")
		})
	}
}

func BenchmarkWakeAndWait(b *testing.B) {
	p := openPoller(b)
	events := make([]Event, 1)
	b.ReportAllocs()
	for b.Loop() {
		must(b, p.Wake())
		if n, err := p.Wait(events, time.Time{}); n != 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkWakeAGoroutineThatWaits is there and back: two goroutines wake each other in turn.
func BenchmarkWakeAGoroutineThatWaits(b *testing.B) {
	here, there := openPoller(b), openPoller(b)
	go func() {
		events := make([]Event, 1)
		for {
			if _, err := there.Wait(events, time.Time{}); err != nil {
				return
			}
			if here.Wake() != nil {
				return
			}
		}
	}()
	events := make([]Event, 1)
	b.ReportAllocs()
	for b.Loop() {
		must(b, there.Wake())
		if _, err := here.Wait(events, time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWaitUntilAMomentPast(b *testing.B) {
	p := openPoller(b)
	events := make([]Event, 1)
	past := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if n, err := p.Wait(events, past); n != 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, step := range []struct {
		name     string
		from, to Ready
	}{{"add and delete", 0, Readable}, {"change and back", Readable, Readable | Writable}} {
		b.Run(step.name, func(b *testing.B) {
			p := openPoller(b)
			near, _ := pair(b)
			must(b, p.Update(near, 0, step.from))
			b.ReportAllocs()
			for b.Loop() {
				must(b, p.Update(near, step.from, step.to))
				must(b, p.Update(near, step.to, step.from))
			}
		})
	}
}
