package codec

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// stepUTF8 is the automaton's way from one state by one byte, without what makes it fast.
func stepUTF8(state uint8, b byte) uint8 { return readUTF8(state, []byte{b}) }

// What leads from one boundary to the next are the encodings of Unicode's scalar values
// and nothing else: there are as many ways as values, and each value's is one of them.
func TestUTF8AutomatonTakesExactlyTheScalarValues(t *testing.T) {
	values := 0
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		values++
		var state uint8
		enc := utf8.AppendRune(nil, r)
		for i, b := range enc {
			if state = stepUTF8(state, b); (state == betweenRunes) != (i == len(enc)-1) {
				t.Fatalf("U+%04X: state %d after byte %d", r, state, i)
			}
		}
	}
	ways := 0
	var walk func(state uint8, depth int)
	walk = func(state uint8, depth int) {
		open := false
		for b := range 256 {
			switch next := stepUTF8(state, byte(b)); {
			case next == notUTF8:
			case next == betweenRunes:
				ways++
				open = true
			case depth == utf8.UTFMax:
				t.Fatalf("state %d after %d bytes", next, depth)
			default:
				walk(next, depth+1)
				open = true
			}
		}
		if !open {
			t.Fatalf("state %d refuses every byte, so its text should have been refused before", state)
		}
	}
	walk(betweenRunes, 1)
	if ways != values {
		t.Errorf("%d sequences are taken, want those of the %d scalar values", ways, values)
	}
	for b := range 256 {
		if stepUTF8(notUTF8, byte(b)) != notUTF8 {
			t.Errorf("%#x leads out of what is not UTF-8", b)
		}
	}
}

// Every sequence of four bytes that are the edges of ranges is judged as utf8.Valid
// does, wherever it stands in a block.
func TestValidUTF8IsUTF8Valid(t *testing.T) {
	text := []byte(strings.Repeat("語", 16))
	edges := []byte{0x00, 0x28, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
		0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}
	n := len(edges)
	for i := range n * n * n * n {
		at := i % 45
		p := append(text[:0:0], text...)
		copy(p[at:], []byte{edges[i%n], edges[i/n%n], edges[i/n/n%n], edges[i/n/n/n]})
		if got, want := ValidUTF8(p), utf8.Valid(p); got != want {
			t.Fatalf("%x: %t, want %t", p, got, want)
		}
	}
}

// ASCII is passed over in blocks, but not where a sequence is open.
func TestASCIIWithinASequenceIsRefused(t *testing.T) {
	for _, r := range []string{"é", "語", "😀"} {
		for cut := 1; cut < len(r); cut++ {
			for front := range 34 {
				for between := 1; between < 70; between++ {
					p := strings.Repeat("a", front) + r[:cut] + strings.Repeat("a", between) + r[cut:]
					if ValidUTF8([]byte(p)) {
						t.Fatalf("%q is taken", p)
					}
				}
			}
		}
	}
}

// scripts are texts of the kinds that a server sees.
var scripts = map[string]string{
	"ascii":    "The quick brown fox jumps over the lazy dog. ",
	"json":     `{"user":"Jürgen Müller","city":"Zürich","text":"schöne Grüße","id":123456789,"ok":true} `,
	"cyrillic": "Съешь же ещё этих мягких французских булок, да выпей чаю. ",
	"cjk":      "我能吞下玻璃而不伤身体。色は匂へど散りぬるを、",
	"emoji":    "😀😃👍🏽🎉 ok 🚀",
	"mixed":    "Hello мир, 世界! 😀 caffè ",
}

// shuffled is size bytes of pieces of s, or a few less, in an order that no branch
// predictor learns.
func shuffled(s string, size int) []byte {
	rnd := rand.New(rand.NewPCG(1, 3629))
	runes := []rune(s)
	var p []byte
	for {
		i := rnd.IntN(len(runes))
		piece := string(runes[i:min(len(runes), i+1+rnd.IntN(9))])
		if len(p)+len(piece) > size {
			return p
		}
		p = append(p, piece...)
	}
}

// However text is cut, and with one byte changed, it is judged as when it is whole.
func TestReadUTF8GoesOnWhereItStopped(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 3629))
	for name, s := range scripts {
		text := shuffled(s, 4096)
		for range 2000 {
			p := bytes.Clone(text[:rnd.IntN(300)])
			if len(p) > 0 && rnd.IntN(2) == 0 {
				p[rnd.IntN(len(p))] = byte(rnd.Uint32())
			}
			var state uint8
			for rest := p; len(rest) > 0; {
				n := 1 + rnd.IntN(len(rest))
				state = readUTF8(state, rest[:n])
				rest = rest[n:]
			}
			if got, want := state == betweenRunes, utf8.Valid(p); got != want || ValidUTF8(p) != want {
				t.Fatalf("%s, %x: in parts %t, whole %t, want %t", name, p, got, ValidUTF8(p), want)
			}
		}
	}
}

// FuzzUTF8: text in two parts is what utf8.Valid says of it whole.
func FuzzUTF8(f *testing.F) {
	for _, s := range scripts {
		f.Add([]byte(s), uint16(len(s)/2))
	}
	f.Add([]byte("\xed\xa0\x80"), uint16(1))
	f.Fuzz(func(t *testing.T, p []byte, cut uint16) {
		at := min(int(cut), len(p))
		state := readUTF8(readUTF8(betweenRunes, p[:at]), p[at:])
		if want := utf8.Valid(p); (state == betweenRunes) != want || ValidUTF8(p) != want {
			t.Fatalf("%x cut at %d: state %d, whole %t, want %t", p, at, state, ValidUTF8(p), want)
		}
	})
}

// BenchmarkUTF8 is a check of the texts of scripts, beside that of the standard library.
func BenchmarkUTF8(b *testing.B) {
	for name, s := range scripts {
		for size, label := range map[int]string{100: "100B", 16 << 10: "16KiB", 4 << 20: "4MiB"} {
			p := shuffled(s, size)
			for by, valid := range map[string]func([]byte) bool{"ours": ValidUTF8, "std": utf8.Valid} {
				b.Run(name+"/"+label+"/"+by, func(b *testing.B) {
					b.SetBytes(int64(len(p)))
					b.ReportAllocs()
					for b.Loop() {
						if !valid(p) {
							b.Fatal("valid text refused")
						}
					}
				})
			}
		}
	}
}
