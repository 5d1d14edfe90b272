package codec

import (
	"bytes"
	"strings"
	"testing"
)

// limitsOf makes Limits of one byte.
func limitsOf(bits byte) Limits {
	l := Limits{Client: bits&1 != 0, Deflate: bits&2 != 0, SkipUTF8: bits&4 != 0}
	if bits&8 != 0 {
		l.MaxPayload = 100
	}
	if bits&16 != 0 {
		l.MaxFragments = 3
	}
	if bits&32 != 0 {
		l.MaxPayload = 20000
	}
	return l
}

func seeds(f *testing.F, add func(in []byte)) {
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	long := strings.Repeat("длинный", 900)
	add(masked(Text, true, "Hello"))
	add(join(masked(Text, false, long[:101]), masked(Ping, true, "p"), masked(Continuation, true, long[101:])))
	add(join(masked(Binary, true, long), masked(Close, true, "\x03\xe8bye")))
	add(join(masked(Text, false, "\xf4"), masked(Continuation, true, "\x90")))
	add(wire(f, "010161 890170 800163"))
	add(wire(f, "c104cac80400 4109ca48cd01000000ffff 8004cac90700"))
	add(wire(f, "82ff 001fffffffffffff 00000000 6869"))
}

// FuzzSplits: how the bytes were cut is not to be seen in what comes out.
func FuzzSplits(f *testing.F) {
	seeds(f, func(in []byte) {
		for bits := range byte(64) {
			f.Add(in, bits, []byte{1, 2, 200})
		}
	})
	f.Fuzz(func(t *testing.T, in []byte, bits byte, cuts []byte) {
		lim := limitsOf(bits)
		want := decode(t, in, lim, false, wholly)
		i := 0
		cut := func(left int) int {
			if len(cuts) == 0 {
				return 1
			}
			c := int(cuts[i%len(cuts)])
			i++
			// Large steps reach what only a large missing part does.
			return max(1, min(left, c*c))
		}
		for _, direct := range []bool{false, true} {
			if got := decode(t, in, lim, direct, cut); !got.same(want) {
				t.Fatalf("cut, direct %t: %v\nwhole: %v", direct, got, want)
			}
		}
	})
}

// FuzzRoundTrip: what is encoded, fragmented or not, masked or not, is decoded.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("Hello"), true, uint16(2), uint32(0x3d21fa37))
	f.Add([]byte(""), false, uint16(0), uint32(0))
	f.Add(bytes.Repeat([]byte("语"), 30000), true, uint16(7000), uint32(1))
	f.Fuzz(func(t *testing.T, p []byte, isMasked bool, size uint16, k uint32) {
		h := Header{Opcode: Binary, Masked: isMasked, Mask: [4]byte{byte(k), byte(k >> 8), byte(k >> 16), byte(k >> 24)}}
		var out []byte
		frames := 0
		for rest := p; ; h.Opcode = Continuation {
			part := rest
			if size > 0 && frames < 100 {
				part = rest[:min(len(rest), int(size))]
			}
			rest = rest[len(part):]
			h.Fin = len(rest) == 0
			out = AppendFrame(out, h, part)
			if frames++; h.Fin {
				break
			}
		}
		lim := Limits{Client: !isMasked, MaxPayload: int64(max(len(p), 1)), MaxFragments: frames}
		want := outcome{msgs: []string{describe(Message{Opcode: Binary, Payload: p})}}
		for _, direct := range []bool{false, true} {
			for _, step := range []int{1 << 30, 5000, 1 + int(k%77)} {
				got := decode(t, out, lim, direct, func(left int) int { return min(left, step) })
				if !got.same(want) {
					t.Fatalf("by %d: %v, want %v", step, got, want)
				}
			}
		}
	})
}

// FuzzDecoder: nothing panics, and memory is bounded by what came and what is
// allowed.
func FuzzDecoder(f *testing.F) {
	seeds(f, func(in []byte) { f.Add(in, byte(0), uint8(7)) })
	f.Fuzz(func(t *testing.T, in []byte, bits byte, step uint8) {
		lim := limitsOf(bits)
		var d Decoder
		var mem Bytes
		received, in := 0, bytes.Clone(in)
		for len(in) > 0 {
			chunk := in[:min(len(in), 1+int(step)*int(step))]
			in = in[len(chunk):]
			received += len(chunk)
			for len(chunk) > 0 {
				m, n, ok, err := d.Next(chunk, &lim, &mem)
				if err != nil {
					in = nil
					break
				}
				if ok && lim.MaxPayload > 0 && m.Opcode&opcodeControl == 0 && int64(len(m.Payload)) > lim.MaxPayload {
					t.Fatalf("message of %d bytes, limit %d", len(m.Payload), lim.MaxPayload)
				}
				if !ok && n < len(chunk) {
					t.Fatalf("stalled at %d of %d", n, len(chunk))
				}
				chunk = chunk[n:]
				d.Tail(&mem)
				if most := 2*received + 2*minTail; d.Held() > most {
					t.Fatalf("holds %d bytes of %d received", d.Held(), received)
				}
			}
		}
		d.Reset(&mem)
		if n := mem.Outstanding(); n != 0 {
			t.Fatalf("%d slices lent after Reset", n)
		}
	})
}
