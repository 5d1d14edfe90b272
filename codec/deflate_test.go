package codec

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

// jsonText is n bytes of the kind of JSON that is pushed to dashboards.
func jsonText(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, `{"id":%d,"symbol":"%s","price":%.2f,"volume":%d,"ts":"2025-11-%02dT%02d:%02d:%02dZ","side":"%s"},`,
			r.IntN(1e6), []string{"AAPL", "MSFT", "GOOG", "AMZN", "NVDA"}[r.IntN(5)], r.Float64()*1000, r.IntN(100000),
			1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), []string{"buy", "sell"}[r.IntN(2)])
	}
	return b.Bytes()[:n]
}

func noise(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

var contents = map[string]func(n int, seed uint64) []byte{
	"json":  jsonText,
	"noise": noise,
	"zeros": func(n int, _ uint64) []byte { return make([]byte, n) },
}

// stdInflate is the standard library's opinion on a payload.
func stdInflate(payload, history []byte) ([]byte, error) {
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(payload), bytes.NewReader([]byte(streamTail))), history)
	return io.ReadAll(r)
}

func mustInflate(t testing.TB, f *Flate, payload []byte, bits uint8, win *Window, b *Bytes) []byte {
	t.Helper()
	msg, err := f.Inflate(payload, bits, win, 0, b)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// checkPayload decodes one message with a strict window, with the standard library
// and with ours.
func checkPayload(t *testing.T, f *Flate, payload, history, want []byte, bits uint8, win *Window, b *Bytes) {
	t.Helper()
	got, err := strictInflate(append(payload[:len(payload):len(payload)], syncTail...), history, 1<<bits)
	if err != nil || !bytes.Equal(got[len(history):], want) {
		t.Fatalf("strict window: %d bytes, %v; want %d", len(got)-len(history), err, len(want))
	}
	if got, err = stdInflate(payload, history); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("compress/flate: %d bytes, %v; want %d", len(got), err, len(want))
	}
	msg := mustInflate(t, f, payload, bits, win, b)
	if !bytes.Equal(msg, want) {
		t.Fatalf("Inflate: %d bytes, want %d", len(msg), len(want))
	}
	b.Put(msg)
}

// tail is what a peer's window of the given bits holds after all of sent.
func tail(sent []byte, bits uint8) []byte { return sent[max(0, len(sent)-1<<bits):] }

func TestMessagesRoundTripWithAllParameters(t *testing.T) {
	for bits := uint8(8); bits <= 15; bits++ {
		levels := []int{1, 9}
		if bits == 15 {
			levels = []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
		}
		for _, level := range levels {
			for kind, content := range contents {
				for _, takeover := range []bool{false, true} {
					t.Run(fmt.Sprintf("bits%d/level%d/%s/takeover=%v", bits, level, kind, takeover), func(t *testing.T) {
						roundTrips(t, NewFlate(level, 2), bits, takeover, content)
					})
				}
			}
		}
	}
}

func roundTrips(t *testing.T, f *Flate, bits uint8, takeover bool, content func(int, uint64) []byte) {
	var b Bytes
	var out, in *Window
	var history, sent []byte
	if takeover {
		out, in = new(Window), new(Window)
	}
	for i, n := range []int{1, 0, 5, 64, 127, 128, 256, 257, 1500, 256, 20000, 5, 65536, 200000} {
		msg := content(n, uint64(i))
		payload := f.Compress(nil, msg, bits, out, true)
		if len(payload) > CompressBound(n) {
			t.Errorf("%d bytes became %d, above the bound of %d", n, len(payload), CompressBound(n))
		}
		checkPayload(t, f, payload, history, msg, bits, in, &b)
		if takeover {
			sent = append(sent, msg...)
			history = tail(sent, bits)
		}
	}
	if n := b.Outstanding(); n != 0 {
		t.Errorf("%d slices not given back", n)
	}
}

func TestFragmentsOfOneMessageShareAStream(t *testing.T) {
	f := NewFlate(1, 2)
	var b Bytes
	text := jsonText(40000, 1)
	for _, bits := range []uint8{8, 9, 12, 15} {
		for name, win := range map[string]*Window{"own history": new(Window), "no history": nil} {
			for _, cuts := range [][]int{{0, 40000}, {20000, 40000}, {0, 0, 40000, 40000}, {1, 2, 3, 700, 1400, 30000, 40000}} {
				if win != nil {
					win.Reset()
				}
				var payload []byte
				from := 0
				for i, to := range cuts {
					payload = f.Compress(payload, text[from:to], bits, win, i == len(cuts)-1)
					from = to
				}
				checkPayload(t, f, payload, nil, text, bits, nil, &b)
				if t.Failed() {
					t.Fatalf("bits %d, %s, cuts %v", bits, name, cuts)
				}
			}
		}
	}
}

func TestOnlyTheLastFragmentLosesTheFlushTail(t *testing.T) {
	f := NewFlate(1, 1)
	for _, first := range []string{"", "hel", string(jsonText(2000, 1))} {
		p := f.Compress(nil, []byte(first), 15, nil, false)
		if !bytes.HasSuffix(p, []byte(syncTail)) {
			t.Errorf("%.10q: first fragment ends with % x", first, p[max(0, len(p)-4):])
		}
		q := f.Compress(nil, []byte(first), 15, nil, true)
		if !bytes.Equal(p[:len(p)-4], q) {
			t.Errorf("%.10q: last fragment is % x, first % x", first, q, p)
		}
	}
}

func TestEmptyMessageIsOneByte(t *testing.T) {
	f := NewFlate(1, 1)
	if p := f.Compress([]byte("x"), nil, 15, new(Window), true); string(p) != "x\x00" {
		t.Errorf("got % x, want 78 00", p)
	}
	var b Bytes
	for _, payload := range []string{"", "\x00", "\x02\x00"} { // nothing, stored block, empty fixed block
		msg, err := f.Inflate([]byte(payload), 15, nil, 0, &b)
		if err != nil || len(msg) != 0 {
			t.Errorf("% x inflates to %q, %v; want an empty message", payload, msg, err)
		}
	}
}

func TestTakeoverMakesTheSecondMessageShorter(t *testing.T) {
	for level := 1; level <= 9; level++ {
		f := NewFlate(level, 1)
		for _, msg := range []string{"foofoo", string(jsonText(64, 1)), string(jsonText(300, 1)), string(jsonText(3000, 1))} {
			for bits := uint8(9); bits <= 15; bits++ {
				if len(msg) > 1<<bits {
					continue
				}
				var win Window
				first := len(f.Compress(nil, []byte(msg), bits, &win, true))
				second := len(f.Compress(nil, []byte(msg), bits, &win, true))
				if second >= first {
					t.Errorf("level %d, bits %d, %.20q: first %d bytes, second %d", level, bits, msg, first, second)
				}
				again := len(f.Compress(nil, []byte(msg), bits, nil, true))
				if again != first {
					t.Errorf("level %d, bits %d, %.20q without takeover: %d bytes, then %d", level, bits, msg, first, again)
				}
			}
		}
	}
}

func TestFlateServesManyGoroutinesWithinItsLimit(t *testing.T) {
	f := NewFlate(1, 2)
	var b Bytes
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			var out, in Window
			for i := range 50 {
				msg := jsonText(1+i*37, uint64(g))
				got, err := f.Inflate(f.Compress(nil, msg, 12, &out, true), 12, &in, 0, &b)
				if err != nil || !bytes.Equal(got, msg) {
					t.Errorf("got %d bytes, %v; want %d", len(got), err, len(msg))
					return
				}
				b.Put(got)
			}
		})
	}
	wg.Wait()
	if cap(f.jobs) != 2 || len(f.jobs) != 0 {
		t.Errorf("%d of %d jobs held", len(f.jobs), cap(f.jobs))
	}
}

func TestCompressIntoEnoughRoomDoesNotMove(t *testing.T) {
	f := NewFlate(1, 1)
	for _, n := range []int{0, 1, 100, 512, 513, 70000, 200000} {
		for _, src := range [][]byte{noise(n, 1), jsonText(n, 1)} {
			dst := make([]byte, 3, 3+CompressBound(n))
			if got := f.Compress(dst, src, 15, nil, true); &got[0] != &dst[0] {
				t.Errorf("%d bytes: moved to a slice of %d", n, len(got))
			}
		}
	}
}
