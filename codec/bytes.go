package codec

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	minClassBits = 6  // 64 B, a cache line
	maxClassBits = 24 // 16 MiB
	maxClass     = 1 << maxClassBits
)

// Bytes lends byte slices by size class: the powers of two from 64 B to 16 MiB.
// What is above is plain garbage-collected memory. The zero value is ready, and
// several goroutines may use it. It must not be copied.
type Bytes struct {
	out     atomic.Int64
	classes [maxClassBits - minClassBits + 1]sync.Pool
}

// Get lends a slice of length n whose contents are whatever stood there before.
// Its capacity is its class, or n above 16 MiB.
func (b *Bytes) Get(n int) []byte {
	b.out.Add(1)
	if n > maxClass {
		return make([]byte, n)
	}
	c := classOf(n)
	size := 1 << (c + minClassBits)
	// A *byte goes into the interface as it is; a slice header would have to be
	// allocated at each Put.
	if p, ok := b.classes[c].Get().(*byte); ok {
		return unsafe.Slice(p, size)[:n]
	}
	return make([]byte, n, size)
}

// Put takes back what Get lent; the caller must not use it any more. A slice
// with a capacity that no class has (nil, or one whose front was cut off) is
// dropped.
func (b *Bytes) Put(p []byte) {
	size := cap(p)
	switch {
	case size > maxClass:
		b.out.Add(-1)
	case size >= 1<<minClassBits && size&(size-1) == 0:
		b.out.Add(-1)
		b.classes[classOf(size)].Put(unsafe.SliceData(p))
	}
}

// Grow returns p with its length and contents and a capacity of at least n. If
// it had to move, p was put back. A nil p is a Get.
func (b *Bytes) Grow(p []byte, n int) []byte {
	if n <= cap(p) {
		return p
	}
	q := b.Get(n)[:len(p)]
	copy(q, p)
	b.Put(p)
	return q
}

// Outstanding returns how many slices are lent. It is 0 when nothing leaks.
func (b *Bytes) Outstanding() int { return int(b.out.Load()) }

// classOf returns the index of the smallest class that holds n <= maxClass bytes.
func classOf(n int) int {
	if n <= 1<<minClassBits {
		return 0
	}
	return bits.Len(uint(n-1)) - minClassBits
}
