package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// key masks the frames of these tests.
var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// masked returns a client's frame of p.
func masked(op Opcode, fin bool, p string) []byte {
	return AppendFrame(nil, Header{Opcode: op, Fin: fin, Masked: true, Mask: key}, []byte(p))
}

// wire decodes hex with blanks in it.
func wire(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// outcome is what a Decoder made of some input.
type outcome struct {
	msgs []string // opcode, RSV1, payload
	err  error
}

func (o outcome) String() string { return fmt.Sprintf("%.200q, error %v", o.msgs, o.err) }

func (o outcome) same(p outcome) bool {
	return slices.Equal(o.msgs, p.msgs) && fmt.Sprint(o.err) == fmt.Sprint(p.err)
}

func describe(m Message) string {
	return fmt.Sprintf("%d %t %s", m.Opcode, m.Compressed, m.Payload)
}

// decode feeds in to a Decoder in pieces whose lengths cut chooses, and where
// direct through Tail and Filled as far as they take it. It fails the test when
// memory is left lent, or more of it was held than the bytes received allow.
func decode(t testing.TB, in []byte, lim Limits, direct bool, cut func(left int) int) (o outcome) {
	t.Helper()
	var d Decoder
	var mem Bytes
	in = bytes.Clone(in)
	received := 0
	for len(in) > 0 && o.err == nil {
		p := in[:cut(len(in))]
		in = in[len(p):]
		received += len(p)
		if direct {
			if room := d.Tail(&mem); room != nil {
				n := copy(room, p)
				p = p[n:]
				o.err = d.Filled(n, &lim)
			}
		}
		for first := true; o.err == nil && (first || len(p) > 0); first = false {
			m, n, ok, err := d.Next(p, &lim, &mem)
			o.err = err
			if ok {
				o.msgs = append(o.msgs, describe(m))
			} else if err == nil && n != len(p) {
				t.Fatalf("took %d of %d bytes and returned nothing", n, len(p))
			}
			p = p[n:]
			if most := 2*received + 2*minTail; d.Held() > most {
				t.Fatalf("holds %d bytes after %d received", d.Held(), received)
			}
		}
	}
	if o.err != nil {
		if _, _, ok, err := d.Next([]byte{0x81, 0x80, 0, 0, 0, 0}, &lim, &mem); ok || err != o.err {
			t.Fatalf("dead decoder returned %t, %v", ok, err)
		}
	}
	d.Reset(&mem)
	if n := mem.Outstanding(); n != 0 || !d.Idle() || d.Held() != 0 {
		t.Fatalf("after Reset: %d slices lent, idle %t, %d bytes held", n, d.Idle(), d.Held())
	}
	return o
}

func wholly(left int) int { return left }

// everyWay decodes in whole, byte by byte and at random cuts, by copy and by
// Tail, and demands the same outcome each time.
func everyWay(t *testing.T, in []byte, lim Limits) outcome {
	t.Helper()
	want := decode(t, in, lim, false, wholly)
	rnd := rand.New(rand.NewPCG(uint64(len(in)), 6455))
	cuts := map[string]func(int) int{
		"bytes":  func(int) int { return 1 },
		"halves": func(left int) int { return (left + 1) / 2 },
		"5000":   func(left int) int { return min(left, 5000) },
	}
	for i := range 5 {
		cuts[fmt.Sprint("random", i)] = func(left int) int { return 1 + rnd.IntN(left) }
	}
	for name, cut := range cuts {
		for _, direct := range []bool{false, true} {
			if got := decode(t, in, lim, direct, cut); !got.same(want) {
				t.Errorf("%s, direct %t: %v; whole: %v", name, direct, got, want)
			}
		}
	}
	return want
}

// step is one row: bytes in, messages and the error out.
type step struct {
	name string
	in   []byte
	lim  Limits
	msgs []string
	err  *Error
}

func run(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			got := everyWay(t, s.in, s.lim)
			if !slices.Equal(got.msgs, s.msgs) {
				t.Errorf("messages %.200q, want %.200q", got.msgs, s.msgs)
			}
			if s.err == nil && got.err != nil || s.err != nil && !errors.Is(got.err, s.err) {
				t.Errorf("error %v, want %v", got.err, s.err)
			}
		})
	}
}

func TestDecoderIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Decoder{}); n > 96 {
		t.Errorf("a Decoder takes %d bytes", n)
	}
}

// A payload that stood whole in the input is not copied; unmasking never writes
// beyond its frame.
func TestWholeFrameAliasesInput(t *testing.T) {
	for _, size := range []int{0, 1, 7, 8, 9, 125, 126, 4096, 70000} {
		p := strings.Repeat("r", size)
		in := append(masked(Text, true, p), "behind"...)
		var d Decoder
		var mem Bytes
		m, n, ok, err := d.Next(in, &Limits{}, &mem)
		if !ok || err != nil || string(m.Payload) != p || n != len(in)-6 {
			t.Fatalf("%d bytes: %t, %v, took %d", size, ok, err, n)
		}
		if size > 0 && &m.Payload[0] != &in[n-size] {
			t.Errorf("%d bytes: payload was copied", size)
		}
		if cap(m.Payload) != size {
			t.Errorf("%d bytes: an append to the payload would write into the next frame", size)
		}
		if string(in[n:]) != "behind" || mem.Outstanding() != 0 || !d.Idle() {
			t.Errorf("%d bytes: behind %q, %d lent", size, in[n:], mem.Outstanding())
		}
	}
}

// Held memory is the caller's until its next call, and then back in Bytes.
func TestReturnedMemoryGoesBackAtNextCall(t *testing.T) {
	in := masked(Binary, true, strings.Repeat("x", 1000))
	calls := map[string]func(*Decoder, *Bytes){
		"Next":    func(d *Decoder, mem *Bytes) { d.Next(nil, &Limits{}, mem) },
		"Release": func(d *Decoder, mem *Bytes) { d.Release(mem) },
		"Tail":    func(d *Decoder, mem *Bytes) { d.Tail(mem) },
		"Reset":   func(d *Decoder, mem *Bytes) { d.Reset(mem) },
	}
	for name, call := range calls {
		var d Decoder
		var mem Bytes
		_, _, _, _ = d.Next(bytes.Clone(in[:500]), &Limits{}, &mem)
		m, _, ok, err := d.Next(bytes.Clone(in[500:]), &Limits{}, &mem)
		if !ok || err != nil || len(m.Payload) != 1000 || mem.Outstanding() != 1 || d.Idle() {
			t.Fatalf("%t, %v, %d bytes, %d lent", ok, err, len(m.Payload), mem.Outstanding())
		}
		if call(&d, &mem); mem.Outstanding() != 0 || !d.Idle() {
			t.Errorf("after %s: %d lent, idle %t", name, mem.Outstanding(), d.Idle())
		}
	}
}
