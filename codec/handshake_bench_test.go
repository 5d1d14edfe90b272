package codec_test

import (
	"testing"

	"github.com/roost-ws/roost/codec"
)

// upgrade is what a loop does with a whole request.
func upgrade(r *codec.Request, in, out []byte) []byte {
	n, err := codec.ScanHead(in, 0, 8192)
	if err != nil {
		panic(err)
	}
	if err := r.Parse(in[:n]); err != nil {
		panic(err)
	}
	if !r.WantsUpgrade() {
		panic("plain HTTP")
	}
	if err := r.CheckUpgrade(); err != nil {
		panic(err)
	}
	return codec.AppendSwitching(out[:0], r.Get("Sec-WebSocket-Key"), "", "", nil)
}

func TestAnUpgradeDoesNotAllocate(t *testing.T) {
	var r codec.Request
	in, out := []byte(chromeRequest), make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { out = upgrade(&r, in, out) }); n != 0 {
		t.Errorf("%v allocations an upgrade, want none", n)
	}
}

func BenchmarkUpgradeServer(b *testing.B) {
	var r codec.Request
	in, out := []byte(chromeRequest), make([]byte, 0, 512)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		out = upgrade(&r, in, out)
	}
}

func BenchmarkScanHead(b *testing.B) {
	in := []byte(chromeRequest)
	b.ReportAllocs()
	for b.Loop() {
		codec.ScanHead(in, 0, 8192)
	}
}

func BenchmarkRequestParse(b *testing.B) {
	var r codec.Request
	in := []byte(chromeRequest)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequestHTTP(b *testing.B) {
	var r codec.Request
	if err := r.Parse([]byte(chromeRequest)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.HTTP("127.0.0.1:1", nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAcceptKey(b *testing.B) {
	key, out := []byte(sampleKey), make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		out = codec.AcceptKey(out[:0], key)
	}
}

func BenchmarkResponse(b *testing.B) {
	var r codec.Response
	in := codec.AppendSwitching(nil, []byte(sampleKey), "", "", nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Parse(in); err != nil {
			b.Fatal(err)
		}
		if _, err := r.CheckAccept(sampleKey, nil); err != nil {
			b.Fatal(err)
		}
	}
}
