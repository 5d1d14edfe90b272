package codec

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// canBegin reports, by trying, whether some bytes after p make it UTF-8.
func canBegin(p []byte) bool {
	for _, rest := range []string{"", "\x80", "\x80\x80", "\x80\x80\x80", "\xbf", "\xbf\x80", "\xbf\x80\x80"} {
		if utf8.Valid(append(bytes.Clone(p), rest...)) {
			return true
		}
	}
	return false
}

// A check of what has come so far refuses exactly what no later byte can mend.
func TestCheckUTF8RefusesWhatCannotBegin(t *testing.T) {
	edges := []byte{0x00, 0x28, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
		0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}
	var try func(p []byte)
	try = func(p []byte) {
		tail, ok := checkUTF8(p)
		if want := canBegin(p); ok != want {
			t.Fatalf("%x: ok %t, want %t", p, ok, want)
		}
		if ok && (tail > 0) == utf8.Valid(p) {
			t.Fatalf("%x: tail %d", p, tail)
		}
		if len(p) == 4 {
			return
		}
		for _, e := range edges {
			try(append(p[:len(p):len(p)], e))
		}
	}
	try(nil)
}
