package codec

import (
	"bytes"
	"testing"
)

func TestWindowHoldsNoMoreThanAgreed(t *testing.T) {
	for bits := uint8(8); bits <= 15; bits++ {
		var w Window
		var all []byte
		for i, n := range []int{0, 1, 100, 155, 1, 255, 256, 257, 3, 5000, 7, 40000, 100, 32768, 1, 512} {
			p := noise(n, uint64(i))
			w.add(p, 1<<bits)
			all = append(all, p...)
			if !bytes.Equal(w.text, tail(all, bits)) {
				t.Fatalf("bits %d: after %d bytes not the last %d", bits, len(all), 1<<bits)
			}
			if cap(w.text) > 1<<bits || i == 2 && cap(w.text) > 256 {
				t.Fatalf("bits %d: holds %d bytes for %d", bits, cap(w.text), len(all))
			}
		}
		if w.Reset(); w.Len() != 0 || cap(w.text) != 0 {
			t.Fatal("memory kept after Reset")
		}
	}
}
