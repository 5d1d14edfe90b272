package engine

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts spans of time by powers of two: bucket i counts those below
// 1 µs << i that no bucket before it counts, the last also all above.
type Histogram [28]uint64

// Count returns how many spans were counted.
func (h *Histogram) Count() (n uint64) {
	for _, k := range h {
		n += k
	}
	return n
}

// Below returns the least bound of a bucket that a share q of the spans is below,
// q from 0 to 1; 0 when none was counted.
func (h *Histogram) Below(q float64) time.Duration {
	want, n := q*float64(h.Count()), uint64(0)
	for i, k := range h {
		if n += k; n > 0 && float64(n) >= want {
			return time.Microsecond << i
		}
	}
	return 0
}

// spans is a Histogram that one goroutine counts in and others read.
type spans [len(Histogram{})]atomic.Uint64

func (s *spans) add(d time.Duration) {
	s[min(bits.Len64(uint64(max(d, 0)/time.Microsecond)), len(s)-1)].Add(1)
}

// timed counts how long casts took that were served to all members of a part: once
// each, so that a member costs nothing.
func (l *loop) timed(casts []cast) {
	now := l.sys.Since(l.e.start)
	for i := range casts {
		l.stats.delivery.add(now - casts[i].at)
	}
}
