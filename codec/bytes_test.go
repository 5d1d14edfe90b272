package codec

import (
	"sync"
	"testing"
)

func TestBytesClasses(t *testing.T) {
	var b Bytes
	for n, want := range map[int]int{0: 64, 1: 64, 64: 64, 65: 128, 4096: 4096, 4097: 8192,
		maxClass - 1: maxClass, maxClass: maxClass, maxClass + 1: maxClass + 1} {
		p := b.Get(n)
		if len(p) != n || cap(p) != want {
			t.Errorf("Get(%d): length %d, capacity %d", n, len(p), cap(p))
		}
		b.Put(p)
	}
	if n := b.Outstanding(); n != 0 {
		t.Errorf("%d lent", n)
	}
}

func TestBytesGrowKeepsContents(t *testing.T) {
	var b Bytes
	p := append(b.Get(0), "kept"...)
	for n := 64; n <= 1<<20; n *= 3 {
		if p = b.Grow(p, n); string(p) != "kept" || cap(p) < n || b.Outstanding() != 1 {
			t.Fatalf("Grow to %d: %q, capacity %d, %d lent", n, p, cap(p), b.Outstanding())
		}
	}
	if b.Put(p); b.Outstanding() != 0 {
		t.Errorf("%d lent", b.Outstanding())
	}
}

func TestBytesDropsWhatIsNotItsOwn(t *testing.T) {
	var b Bytes
	for _, p := range [][]byte{nil, {}, make([]byte, 100), make([]byte, 32)} {
		if b.Put(p); b.Outstanding() != 0 {
			t.Errorf("Put of capacity %d was counted", cap(p))
		}
	}
	p := b.Get(100)
	if b.Put(p[1:]); b.Outstanding() != 1 {
		t.Error("a slice without its front was taken back")
	}
}

// No two borrowers ever have the same memory.
func TestBytesLendsOnce(t *testing.T) {
	var b Bytes
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				p := b.Get(64 << (i % 4))
				for j := range p {
					p[j] = byte(g)
				}
				for _, v := range p {
					if v != byte(g) {
						t.Error("memory lent twice")
						return
					}
				}
				b.Put(p)
			}
		})
	}
	wg.Wait()
	if n := b.Outstanding(); n != 0 {
		t.Errorf("%d lent", n)
	}
}

func TestBytesReuseAllocatesNothing(t *testing.T) {
	var b Bytes
	// The mean is rounded down: under -race a sync.Pool drops a quarter.
	if n := testing.AllocsPerRun(1000, func() { b.Put(b.Get(1000)) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
