//go:build unix

package engine

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
	"github.com/roost-ws/roost/poller"
)

// still is a kernel without any cost: what is read is always the same, and all that
// is written is taken. What a benchmark over it shows is the engine's own part of a
// message, which system calls hide.
type still struct {
	system
	input []byte // what each Read brings
	limit int    // bytes that each write takes; 0 takes all
	taken int
}

func (k *still) Poller() (watcher, error)           { return quiet{}, nil }
func (k *still) Read(_ int, p []byte) (int, error)  { return copy(p, k.input), nil }
func (k *still) Write(_ int, p []byte) (int, error) { return k.take(len(p)), nil }
func (k *still) Close(int) error                    { return nil }

func (k *still) Writev(_ int, iov []sock.IOV) (int, error) {
	n := 0
	for i := range iov {
		n += int(iov[i].Len)
	}
	return k.take(n), nil
}

func (k *still) take(n int) int {
	if k.limit > 0 {
		n = min(n, k.limit)
	}
	k.taken += n
	return n
}

// quiet is its poller: nothing is ever ready.
type quiet struct{}

func (quiet) Update(int, poller.Ready, poller.Ready) error { return nil }
func (quiet) Wait([]poller.Event, time.Time) (int, error)  { return 0, nil }
func (quiet) Poll([]poller.Event) (int, error)             { return 0, nil }
func (quiet) Wake() error                                  { return nil }
func (quiet) Close() error                                 { return nil }

// bench is an engine of one loop that the benchmark steps itself.
type bench struct {
	k *still
	s *Server
	l *loop
}

func newBench(b testing.TB, h Handler) *bench {
	k := &still{}
	cfg := Config{Loops: 1, Dispatch: DispatchLoop, Logger: slog.New(slog.DiscardHandler)}
	if err := cfg.fill(); err != nil {
		b.Fatal(err)
	}
	e, err := newEngine(cfg, k)
	if err != nil {
		b.Fatal(err)
	}
	s, err := NewServer(ServerOptions{Engine: e, NoServer: true, Handler: h})
	if err != nil {
		b.Fatal(err)
	}
	return &bench{k: k, s: s, l: e.loops[0]}
}

// dial makes a connection that waits for its request.
func (w *bench) dial(fd int) *Conn {
	c := newConn(w.l, &w.s.policy, fd)
	c.loop.e.conns.Add(1)
	c.enter()
	return c
}

// upgraded makes an open one.
func (w *bench) upgraded(fd int) *Conn {
	c := w.dial(fd)
	w.k.input = upgradeRequest
	w.turn(c)
	return c
}

var upgradeRequest = []byte("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")

// turn is what an event for c leads to.
func (w *bench) turn(c *Conn) {
	w.l.mark(c, markRead)
	w.l.dispatch()
}

var echoing = Handler{Message: func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }}

// frames is n masked messages of so many bytes.
func frames(n, size int, op Opcode) (in []byte) {
	h := codec.Header{Opcode: op, Fin: true, Masked: true, Mask: [4]byte{1, 2, 3, 4}, Length: int64(size)}
	for range n {
		in = codec.AppendFrame(in, h, make([]byte, size))
	}
	return in
}

// BenchmarkTurn is one turn of a connection: what a read brought is decoded, echoed
// and written. ns/msg is without system calls.
func BenchmarkTurn(b *testing.B) {
	for _, one := range []struct{ messages, size int }{{1, 64}, {16, 64}, {64, 16}, {1, 16 << 10}} {
		b.Run(fmt.Sprintf("%dx%d", one.messages, one.size), func(b *testing.B) {
			w := newBench(b, echoing)
			c := w.upgraded(5)
			w.k.input = frames(one.messages, one.size, Binary)
			w.k.taken = 0
			b.ReportAllocs()
			for b.Loop() {
				w.turn(c)
			}
			if w.k.taken < b.N*one.messages*one.size {
				b.Fatalf("%d bytes were echoed in %d turns", w.k.taken, b.N)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*one.messages), "ns/msg")
		})
	}
}

// BenchmarkPong is a turn that answers a ping.
func BenchmarkPong(b *testing.B) {
	w := newBench(b, Handler{})
	c := w.upgraded(5)
	w.k.input = frames(1, 8, codec.Ping)
	b.ReportAllocs()
	for b.Loop() {
		w.turn(c)
	}
}

// BenchmarkUpgrade is a connection's way from accept to open and its end.
func BenchmarkUpgrade(b *testing.B) {
	w := newBench(b, Handler{})
	b.ReportAllocs()
	for b.Loop() {
		c := w.upgraded(5)
		c.Terminate()
		w.turn(c)
	}
}

// BenchmarkFanOut is one message published to so many members, each of which takes it.
func BenchmarkFanOut(b *testing.B) {
	for _, members := range []int{100, 10_000} {
		for _, published := range []int{1, 8} {
			b.Run(fmt.Sprintf("members=%d/published=%d", members, published), func(b *testing.B) {
				w := newBench(b, Handler{})
				topic := NewTopic(w.l.e)
				for i := range members {
					topic.Subscribe(w.upgraded(5 + i))
				}
				data := make([]byte, 64)
				b.ReportAllocs()
				for b.Loop() {
					for range published {
						topic.Publish(Binary, data)
					}
					for w.l.deliver(); len(w.l.passes) > 0; {
						w.l.cast()
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members*published), "ns/delivery")
			})
		}
	}
}

// BenchmarkOutbox queues what the kernel does not take at once, and writes it bit by bit.
func BenchmarkOutbox(b *testing.B) {
	w := newBench(b, Handler{})
	data := make([]byte, 1000)
	h := codec.Header{Opcode: Binary, Fin: true, Length: int64(len(data))}
	w.k.limit = 1500
	o := w.l.outs.get()
	b.ReportAllocs()
	for b.Loop() {
		for range 8 {
			o.add(h, data, &w.l.bytes)
		}
		for o.size > 0 {
			n, _, err := o.writeOnce(w.l, 5)
			if err != nil {
				b.Fatal(err)
			}
			o.wrote(n, &w.l.bytes)
		}
		o.reset(&w.l.bytes)
	}
}

// BenchmarkWheel arms a million connections, as their heartbeats do, and advances
// tick by tick until all have come.
func BenchmarkWheel(b *testing.B) {
	const n = 1 << 20
	conns := make([]Conn, n)
	var w wheel
	b.ReportAllocs()
	for b.Loop() {
		for i := range conns {
			w.arm(&conns[i], w.at+1+uint32(i)%300)
		}
		for came := 0; came < n; {
			came += len(w.advance(w.at + 1))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/conn")
}
