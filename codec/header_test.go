package codec

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Frames as Node's ws writes them.
func TestFramesAreThoseOfNodeWs(t *testing.T) {
	for _, c := range []struct {
		want string
		h    Header
		p    string
	}{
		{"8102 6869", Header{Opcode: Text, Fin: true}, "hi"},
		{"8202 6869", Header{Opcode: Binary, Fin: true}, "hi"},
		{"8200", Header{Opcode: Binary, Fin: true}, ""},
		{"0101 61", Header{Opcode: Text}, "a"},
		{"8901 70", Header{Opcode: Ping, Fin: true}, "p"},
		{"8001 63", Header{Opcode: Continuation, Fin: true}, "c"},
		{"8800", Header{Opcode: Close, Fin: true}, ""},
		{"c101 00", Header{Opcode: Text, Fin: true, Rsv: 4}, "\x00"},
		{"8185 37fa213d 7f9f4d5158", Header{Opcode: Text, Fin: true, Masked: true, Mask: key}, "Hello"},
	} {
		if got := AppendFrame(nil, c.h, []byte(c.p)); !bytes.Equal(got, wire(t, c.want)) {
			t.Errorf("%+v: %x, want %s", c.h, got, c.want)
		}
	}
}

// What was appended parses back, from no byte less.
func TestHeaderRoundTrip(t *testing.T) {
	for _, length := range []int64{0, 1, 125, 126, 65535, 65536, 1<<53 - 1} {
		for _, isMasked := range []bool{false, true} {
			h := Header{Length: length, Opcode: Binary, Rsv: 4, Fin: true, Masked: isMasked}
			if isMasked {
				h.Mask = key
			}
			b := AppendHeader([]byte("x"), h)[1:]
			if len(b) != h.Size() {
				t.Errorf("%+v: %d bytes, Size %d", h, len(b), h.Size())
			}
			if got, n, err := ParseHeader(append(b, "payload"...)); got != h || n != len(b) || err != nil {
				t.Errorf("%+v: parsed as %+v, %d, %v", h, got, n, err)
			}
			for i := range b {
				if _, n, err := ParseHeader(b[:i]); n >= 0 || i-n > len(b) || err != nil {
					t.Errorf("%+v: of %d bytes, %d, %v", h, i, n, err)
				}
			}
		}
	}
}

// Both ways to unmask do what the RFC's formula does, and touch nothing else.
func TestUnmaskIsTheFormula(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 3))
	for size := range 200 {
		for offset := range 4 {
			p := make([]byte, size+1)
			for i := range p {
				p[i] = byte(rnd.Uint32())
			}
			want := bytes.Clone(p)
			for i := range size {
				want[i] ^= key[(i+offset)%4]
			}
			a := bytes.Clone(p)
			if Mask(a[:size], key, offset); !bytes.Equal(a, want) {
				t.Fatalf("Mask, %d bytes at %d", size, offset)
			}
			if offset > 0 {
				continue
			}
			unmaskSmall(p[:size], 0x3d21fa37)
			if !bytes.Equal(p, want) {
				t.Fatalf("unmaskSmall, %d bytes", size)
			}
		}
	}
}

func TestUnmaskSmallFindsEveryHighByte(t *testing.T) {
	for size := range 130 {
		for at := -1; at < size; at++ {
			p := bytes.Repeat([]byte{'a'}, size)
			if at >= 0 {
				p[at] = 0x80
			}
			Mask(p, key, 0)
			if ascii := unmaskSmall(p, 0x3d21fa37); ascii != (at < 0) {
				t.Fatalf("%d bytes, high byte at %d: ascii %t", size, at, ascii)
			}
		}
	}
}
