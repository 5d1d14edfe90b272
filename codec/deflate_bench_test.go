package codec

import (
	"fmt"
	"math"
	"testing"
)

func benchDeflate(b *testing.B, run func(b *testing.B, f *Flate, msg []byte, bits uint8, win *Window)) {
	for _, n := range []int{64, 1 << 10, 16 << 10} {
		for _, bits := range []uint8{0, 9, 12, 15} {
			name := fmt.Sprintf("%dB/takeover%d", n, bits)
			var win *Window
			if bits == 0 {
				name, bits = fmt.Sprintf("%dB/no-takeover", n), 15
			} else {
				win = new(Window)
				win.add(jsonText(1<<bits, 1), 1<<bits)
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(n))
				run(b, NewFlate(1, 0), jsonText(n, 2), bits, win)
			})
		}
	}
}

// The history is the same for each message, so the ratio is that of one message
// after many like it.
func BenchmarkCompress(b *testing.B) {
	benchDeflate(b, func(b *testing.B, f *Flate, msg []byte, bits uint8, win *Window) {
		out := make([]byte, 0, CompressBound(len(msg)))
		for b.Loop() {
			f.compress(out, msg, bits, win)
		}
		b.ReportMetric(float64(len(f.compress(out, msg, bits, win))-len(syncTail)), "wire-B")
	})
}

func BenchmarkWindowAdd(b *testing.B) {
	benchDeflate(b, func(b *testing.B, _ *Flate, msg []byte, bits uint8, win *Window) {
		if win == nil {
			b.Skip("no history to keep")
		}
		for b.Loop() {
			win.add(msg, 1<<bits)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	benchDeflate(b, func(b *testing.B, f *Flate, msg []byte, bits uint8, win *Window) {
		var lent Bytes
		payload := f.compress(nil, msg, bits, win)
		payload = payload[:len(payload)-len(syncTail)]
		for b.Loop() {
			got, _, err := f.inflate(payload, win.last(1<<bits), math.MaxInt, &lent)
			if err != nil || len(got) != len(msg) {
				b.Fatal(len(got), err)
			}
			lent.Put(got)
		}
	})
}
