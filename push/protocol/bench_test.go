package protocol

import "testing"

// BenchmarkAppendFrame encodes an event's frame, once for all its subscribers.
func BenchmarkAppendFrame(b *testing.B) {
	data := []byte(`{"text":"good morning, everybody","by":"ann \"the quick\" smith"}`)
	var frame []byte
	b.ReportAllocs()
	for b.Loop() {
		frame = AppendPosition(AppendFrame(frame[:0], "message", "room-1234", data), Position{Epoch: "3k5h1", Seq: 12345})
	}
}
