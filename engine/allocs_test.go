//go:build unix

package engine

import (
	"io"
	"runtime"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// In steady state no message makes garbage: neither an echo, nor a broadcast, nor a
// ping and its pong.
func TestMessagesAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, turn := range map[string]func(t *testing.T) func(){
		"echo of 64 bytes":           func(t *testing.T) func() { return turns(t, frames(1, 64, Binary)) },
		"echo of 16 messages":        func(t *testing.T) func() { return turns(t, frames(16, 64, Text)) },
		"echo of 16 KiB":             func(t *testing.T) func() { return turns(t, frames(1, 16<<10, Binary)) },
		"ping and pong":              func(t *testing.T) func() { return turns(t, frames(1, 8, codec.Ping)) },
		"broadcast to 100":           func(t *testing.T) func() { return casts(t, 100, 1) },
		"broadcast of 8 at a time":   func(t *testing.T) func() { return casts(t, 100, 8) },
		"echo through the outbox":    outboxed,
		"echo split into two reads":  halves,
		"echo with fragments of one": func(t *testing.T) func() { return turns(t, fragments()) },
	} {
		t.Run(name, func(t *testing.T) {
			one := turn(t)
			for range 100 { // until all that is kept has been made
				one()
			}
			if n := testing.AllocsPerRun(500, one); n > 0 {
				t.Errorf("%v allocations a turn, want none", n)
			}
		})
	}
}

// Nor does a message over sockets, on its way through the poller and the workers.
func TestEchoOverSocketsAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const messages = 2000
	inTurn(t, func(t *testing.T, cfg Config) {
		p := join(t, serve(t, ServerOptions{Config: cfg, Handler: echoing}))
		out, in := frameOf(Text, "hello"), make([]byte, 2+len("hello"))
		echo := func() {
			if _, err := p.conn.Write(out); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(p.r, in); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 { // until all that is kept has been made
			echo()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range messages {
			echo()
		}
		runtime.ReadMemStats(&after)
		// Others in this process are not quite still, nor is what the engine does each tick.
		if n := after.Mallocs - before.Mallocs; n > messages/10 {
			t.Errorf("%d objects made for %d messages", n, messages)
		}
	})
}

// turns is a connection to which the same input comes again and again.
func turns(t *testing.T, in []byte) func() {
	w := newBench(t, echoing)
	c := w.upgraded(5)
	w.k.input = in
	return func() { w.turn(c) }
}

func casts(t *testing.T, members, published int) func() {
	w := newBench(t, Handler{})
	topic := NewTopic(w.l.e)
	for i := range members {
		topic.Subscribe(w.upgraded(5 + i))
	}
	data := make([]byte, 64)
	return func() {
		for range published {
			topic.Publish(Binary, data)
		}
		for w.l.deliver(); len(w.l.passes) > 0; {
			w.l.cast()
		}
	}
}

// outboxed is an echo of which the kernel takes a part, and the rest when it has room.
func outboxed(t *testing.T) func() {
	w := newBench(t, echoing)
	c := w.upgraded(5)
	in := frames(1, 1000, Binary)
	return func() {
		w.k.input, w.k.limit = in, 300
		w.turn(c)
		w.k.input, w.k.limit = nil, 0
		w.l.mark(c, markWrite)
		w.l.dispatch()
	}
}

// halves is a message that comes in two reads.
func halves(t *testing.T) func() {
	w := newBench(t, echoing)
	c := w.upgraded(5)
	in := frames(1, 1000, Binary)
	return func() {
		w.k.input = in[:400]
		w.turn(c)
		w.k.input = in[400:]
		w.turn(c)
	}
}

// fragments is a message in two frames.
func fragments() []byte {
	h := codec.Header{Opcode: Text, Masked: true, Mask: [4]byte{1, 2, 3, 4}, Length: 100}
	in := codec.AppendFrame(nil, h, make([]byte, 100))
	h.Opcode, h.Fin = codec.Continuation, true
	return codec.AppendFrame(in, h, make([]byte, 100))
}
