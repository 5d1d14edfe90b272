package codec

import (
	"bytes"
	"errors"
	"testing"
)

func FuzzInflate(f *testing.F) {
	codec := NewFlate(1, 0)
	for _, n := range []int{0, 5, 300, 5000} {
		f.Add(codec.Compress(nil, jsonText(n, 1), 15, nil, true), jsonText(n, 1), uint8(15), uint16(4096))
	}
	f.Add([]byte("\x33\x34\x32\x36\x31\x35\x33\xb7\x00\x00\x00"), []byte(nil), uint8(8), uint16(0))
	f.Add([]byte("\x33\x34\x32\x36\x31\x35\x33\xb7\x00\x00\x33\x34\x04\x00"), []byte(nil), uint8(8), uint16(0))
	f.Fuzz(func(t *testing.T, payload, history []byte, bits uint8, max uint16) {
		bits = 8 + bits%8
		var b Bytes
		var win Window
		win.add(history, 1<<bits)
		msg, err := codec.Inflate(payload, bits, &win, int64(max), &b)
		var e *Error
		switch {
		case err == nil && max > 0 && len(msg) > int(max):
			t.Fatalf("%d bytes, above the limit of %d", len(msg), max)
		case err != nil && (msg != nil || !errors.As(err, &e)):
			t.Fatalf("%d bytes with error %v", len(msg), err)
		}
		if err == nil {
			b.Put(msg)
		}
		if b.Outstanding() != 0 || win.Len() > 1<<bits {
			t.Fatalf("%d slices lent, history of %d bytes", b.Outstanding(), win.Len())
		}
	})
}

func FuzzDeflateRoundTrip(f *testing.F) {
	codecs := []*Flate{NewFlate(1, 0), NewFlate(9, 0)}
	f.Add([]byte("foofoo"), []byte("foofoo"), uint8(0), false)
	f.Add(jsonText(256, 1), jsonText(257, 1), uint8(4), true)
	f.Add(make([]byte, 600), noise(300, 1), uint8(7), false)
	f.Fuzz(func(t *testing.T, first, second []byte, bits uint8, best bool) {
		bits = 8 + bits%8
		codec := codecs[0]
		if best {
			codec = codecs[1]
		}
		var b Bytes
		var out, in Window
		var sent []byte
		for _, msg := range [][]byte{first, second, first} {
			payload := codec.Compress(nil, msg, bits, &out, true)
			checkPayload(t, codec, payload, bytes.Clone(tail(sent, bits)), msg, bits, &in, &b)
			sent = append(sent, msg...)
		}
	})
}
