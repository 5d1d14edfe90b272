package codec

import (
	"bytes"
	"strconv"
	"testing"
)

// stream returns count frames of size bytes of op, as a client sends them.
func stream(op Opcode, size, count int, masked bool) []byte {
	var out []byte
	h := Header{Opcode: op, Fin: true, Masked: masked}
	for i := range count {
		h.Mask = [4]byte{byte(i), 0x5a, 0xc3, 0x0f}
		out = AppendFrame(out, h, bytes.Repeat([]byte("roost"), size/5+1)[:size])
	}
	return out
}

// benchDecode decodes wire again and again, in reads of at most chunk bytes.
// What is unmasked in place is then no longer the mask's product, so only
// binary is given to it where the masking is real.
func benchDecode(b *testing.B, wire []byte, chunk int, lim Limits) {
	var d Decoder
	var mem Bytes
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := wire; len(rest) > 0; {
			in := rest[:min(chunk, len(rest))]
			rest = rest[len(in):]
			for len(in) > 0 {
				_, n, _, err := d.Next(in, &lim, &mem)
				if err != nil {
					b.Fatal(err)
				}
				in = in[n:]
			}
		}
	}
	d.Reset(&mem)
}

func BenchmarkDecode(b *testing.B) {
	const all = 1 << 30
	server, client := Limits{MaxPayload: 1 << 20}, Limits{MaxPayload: 1 << 20, Client: true}
	// Unmasking text twice gives text again, every other time as high bytes: a
	// key of zero keeps it text.
	zero := func(wire []byte) []byte {
		for rest := wire; len(rest) > 0; {
			h, n, _ := ParseHeader(rest)
			p := rest[n : n+int(h.Length)]
			Mask(p, h.Mask, 0)
			clear(rest[n-4 : n])
			rest = rest[n+len(p):]
		}
		return wire
	}
	b.Run("16x64B", func(b *testing.B) { benchDecode(b, stream(Binary, 64, 16, true), all, server) })
	b.Run("16x64B/text", func(b *testing.B) { benchDecode(b, zero(stream(Text, 64, 16, true)), all, server) })
	b.Run("16x64B/client", func(b *testing.B) { benchDecode(b, stream(Binary, 64, 16, false), all, client) })
	b.Run("16x125B", func(b *testing.B) { benchDecode(b, stream(Binary, 125, 16, true), all, server) })
	b.Run("16x8B", func(b *testing.B) { benchDecode(b, stream(Binary, 8, 16, true), all, server) })
	b.Run("1x64B", func(b *testing.B) { benchDecode(b, stream(Binary, 64, 1, true), all, server) })
	b.Run("16x256B", func(b *testing.B) { benchDecode(b, stream(Binary, 256, 16, true), all, server) })
	b.Run("16KiB", func(b *testing.B) { benchDecode(b, stream(Binary, 16<<10, 1, true), all, server) })
	b.Run("16KiB/text", func(b *testing.B) { benchDecode(b, zero(stream(Text, 16<<10, 1, true)), all, server) })
	b.Run("16KiB/partial4KiB", func(b *testing.B) { benchDecode(b, stream(Binary, 16<<10, 1, true), 4<<10, server) })
	b.Run("64B/partial", func(b *testing.B) { benchDecode(b, stream(Binary, 64, 16, true), 100, server) })
	b.Run("fragmented16x64B", func(b *testing.B) {
		wire := AppendFrame(nil, Header{Opcode: Binary, Masked: true}, make([]byte, 64))
		for i := range 15 {
			h := Header{Opcode: Continuation, Masked: true, Mask: [4]byte{1, 2, 3, 4}, Fin: i == 14}
			wire = AppendFrame(wire, h, make([]byte, 64))
		}
		benchDecode(b, wire, all, server)
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{64, 16 << 10} {
		for _, masked := range []bool{false, true} {
			name := strconv.Itoa(size)
			if masked {
				name += "/masked"
			}
			b.Run(name, func(b *testing.B) {
				dst, p := make([]byte, 0, size+MaxHeader), make([]byte, size)
				h := Header{Opcode: Binary, Fin: true, Masked: masked, Mask: [4]byte{1, 2, 3, 4}}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					dst = AppendFrame(dst[:0], h, p)
				}
			})
		}
	}
}

// BenchmarkUnmask weighs unmaskSmall against what it stands in for.
func BenchmarkUnmask(b *testing.B) {
	for _, size := range []int{8, 32, 64, 125} {
		p := make([]byte, size)
		b.Run("small/"+strconv.Itoa(size), func(b *testing.B) {
			for b.Loop() {
				unmaskSmall(p, 0x01020304)
			}
		})
		b.Run("cipher/"+strconv.Itoa(size), func(b *testing.B) {
			for b.Loop() {
				Mask(p, [4]byte{1, 2, 3, 4}, 0)
			}
		})
	}
}
