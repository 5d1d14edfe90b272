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
	out     atomic.Int64 // slices lent, in units of slice, and below that their bytes
	classes [maxClassBits - minClassBits + 1]sync.Pool
}

// slice is one slice in the count of both: an addition pays for the two.
const slice = 1 << 40

// Get lends a slice of length n whose contents are whatever stood there before.
// Its capacity is its class, or n above 16 MiB.
func (b *Bytes) Get(n int) []byte {
	if n > maxClass {
		b.out.Add(slice + int64(n))
		return make([]byte, n)
	}
	c := classOf(n)
	size := 1 << (c + minClassBits)
	b.out.Add(slice + int64(size))
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
		b.out.Add(-slice - int64(size))
	case size >= 1<<minClassBits && size&(size-1) == 0:
		b.out.Add(-slice - int64(size))
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
func (b *Bytes) Outstanding() int { return int(b.out.Load() >> 40) }

// Lent returns the bytes of what is lent, in size classes, and of what Hold added.
func (b *Bytes) Lent() int64 { return b.out.Load() & (slice - 1) }

// Hold counts n bytes of memory that is held beside what Get lent; below zero they are
// given back.
func (b *Bytes) Hold(n int) { b.out.Add(int64(n)) }

// classOf returns the index of the smallest class that holds n <= maxClass bytes.
func classOf(n int) int {
	if n <= 1<<minClassBits {
		return 0
	}
	return bits.Len(uint(n-1)) - minClassBits
}
