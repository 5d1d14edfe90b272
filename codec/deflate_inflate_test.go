package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"runtime"
	"testing"
)

func TestPeerMayEndItsStream(t *testing.T) {
	payload, _ := hex.DecodeString("33343236313533b7000000")
	f := NewFlate(1, 1)
	var b Bytes
	for name, win := range map[string]*Window{"takeover": new(Window), "no takeover": nil} {
		for range 2 {
			if msg := mustInflate(t, f, payload, 15, win, &b); string(msg) != "12345678" {
				t.Errorf("%s: got %q", name, msg)
			}
			if win != nil && win.Len() != 0 {
				t.Errorf("history of %d bytes outlives the stream", win.Len())
			}
		}
	}
	// A back-reference across the end of the stream has nothing to refer to.
	var out, in Window
	f.Compress(nil, []byte("12345678"), 15, &out, true)
	second := f.Compress(nil, []byte("12345678"), 15, &out, true)
	mustInflate(t, f, payload, 15, &in, &b)
	if _, err := f.Inflate(second, 15, &in, 0, &b); !errors.Is(err, ErrDeflate) {
		t.Errorf("got %v, want %v", err, ErrDeflate)
	}
}

// RFC 7692 7.2.1: more blocks may follow a final one, from the next octet on.
func TestBlocksMayFollowTheFinalOne(t *testing.T) {
	f := NewFlate(1, 1)
	var b Bytes
	const hello, final = "\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00"
	for in, want := range map[string]string{
		final + hello:                  "HelloHello",
		final + final + "\x00":         "HelloHello",
		final:                          "Hello", // without the empty block that 7.2.1 asks for
		"\x03\x00" + hello:             "Hello", // an empty stream first
		hello + "\x00\x00\xff\xff\x01": "Hello", // an empty final block, its tail left out
	} {
		msg := mustInflate(t, f, []byte(in), 15, nil, &b)
		if string(msg) != want {
			t.Errorf("% x: got %q, want %q", in, msg, want)
		}
		b.Put(msg)
	}
	for _, in := range []string{
		final + "\xf2\x48", final + "garbage", final + "\x07", // no block, or half of one
		final[:len(final)-1], "\x01\x05\x00\xfa\xff", // the final block itself cut short
		final + "\xf2\x00\x11\x00\x00", // refers to the stream before
	} {
		if msg, err := f.Inflate([]byte(in), 15, nil, 0, &b); !errors.Is(err, ErrDeflate) {
			t.Errorf("% x: got %q, %v; want %v", in, msg, err, ErrDeflate)
		}
	}
	if _, err := f.Inflate([]byte(final+hello), 15, nil, 9, &b); err != ErrMessageTooBig {
		t.Errorf("above the limit: %v", err)
	}
	var win Window // has the last stream's text only
	b.Put(mustInflate(t, f, []byte(final+hello), 15, &win, &b))
	again := mustInflate(t, f, []byte("\xf2\x00\x11\x00\x00"), 15, &win, &b)
	if string(again) != "Hello" || win.Len() != 2*len("Hello") {
		t.Errorf("then %q, history of %d bytes", again, win.Len())
	}
	b.Put(again)
	if n := b.Outstanding(); n != 0 {
		t.Errorf("%d slices not given back", n)
	}
}

func TestWireVectorsInflate(t *testing.T) {
	f := NewFlate(1, 1)
	var b Bytes
	for in, want := range map[string]string{
		"cac80400": "hi", "00": "", "4a4c84010000": "aaaaaaaaaa",
		"ca48cd01000000ffffcac90700": "hello",
		// RFC 7692 7.2.3: one block, a stored one, a final one, two.
		"f248cdc9c90700":             "Hello",
		"000500faff48656c6c6f00":     "Hello",
		"f348cdc9c9070000":           "Hello",
		"f24805000000ffffcac9c90700": "Hello",
	} {
		payload, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if msg := mustInflate(t, f, payload, 15, nil, &b); string(msg) != want {
			t.Errorf("%s: got %q, want %q", in, msg, want)
		}
	}
	var win Window
	for _, in := range []string{"f248cdc9c90700", "f200110000"} { // RFC 7692 7.2.3.2
		payload, _ := hex.DecodeString(in)
		if msg := mustInflate(t, f, payload, 15, &win, &b); string(msg) != "Hello" {
			t.Errorf("%s: got %q", in, msg)
		}
	}
}

func TestCorruptAndCutMessagesAre1007(t *testing.T) {
	f := NewFlate(1, 1)
	var b Bytes
	check := func(payload []byte) {
		t.Helper()
		msg, err := f.Inflate(payload, 15, nil, 0, &b)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeInvalidPayload || e.ID != "Z_DATA_ERROR" || !errors.Is(err, ErrDeflate) || msg != nil {
			t.Errorf("% x: got %q, %v; want 1007", payload[:min(20, len(payload))], msg, err)
		}
	}
	check([]byte{0xff, 0xff})
	check([]byte("garbage, not deflate"))
	check([]byte{0x00, 0x05, 0x00, 0x05, 0x00})
	for _, n := range []int{100, 5000, 50000} {
		whole := f.Compress(nil, jsonText(n, 1), 15, nil, true)
		for _, cut := range []int{1, 2, 10, len(whole) / 2, len(whole) - 3} {
			check(whole[:len(whole)-cut])
		}
	}
	if n := b.Outstanding(); n != 0 {
		t.Errorf("%d slices not given back", n)
	}
}

func TestMaxIsExact(t *testing.T) {
	f := NewFlate(1, 1)
	for _, n := range []int{1, 25, 64, 65, 1000, 16 << 10, 100000} {
		var b Bytes
		p := f.Compress(nil, make([]byte, n), 15, nil, true)
		msg, err := f.Inflate(p, 15, nil, int64(n), &b)
		if err != nil || len(msg) != n {
			t.Errorf("max %d: got %d bytes, %v", n, len(msg), err)
		}
		b.Put(msg)
		if n > 1 {
			if _, err := f.Inflate(p, 15, nil, int64(n-1), &b); err != ErrMessageTooBig {
				t.Errorf("max %d of %d: got %v, want %v", n-1, n, err, ErrMessageTooBig)
			}
		}
		if b.Outstanding() != 0 {
			t.Errorf("%d slices not given back", b.Outstanding())
		}
	}
}

// bomb is a payload of about 1 MiB that inflates to 1 GiB.
func bomb() []byte {
	p := NewFlate(9, 1).Compress(nil, make([]byte, 1<<20), 15, nil, false)
	return bytes.Repeat(p, 1<<10)
}

func TestBombCostsNoMoreThanMax(t *testing.T) {
	payload := bomb()
	f := NewFlate(1, 1)
	for _, max := range []int64{25, 1 << 10, 1 << 20, 10 << 20} {
		var b Bytes
		f.Inflate([]byte{0xff, 0xff}, 15, nil, 0, &b) // makes the pooled inflater
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := f.Inflate(payload, 15, nil, max, &b)
		runtime.ReadMemStats(&after)
		if err != ErrMessageTooBig {
			t.Errorf("max %d: got %v", max, err)
		}
		// Doubling sums to twice the last slice, a class of at most twice max. An
		// inflater is made anew if the collector took the pooled one.
		spent := after.TotalAlloc - before.TotalAlloc
		t.Logf("max %d: %d bytes allocated", max, spent)
		if spent > uint64(4*max)+200<<10 {
			t.Errorf("max %d: %d bytes allocated", max, spent)
		}
	}
}
