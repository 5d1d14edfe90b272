//go:build unix

package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// Whatever is sent, from within a turn or outside, and however little the kernel
// takes at a time, comes out whole and in order.
func TestOutboxIsByteExact(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		rnd := rand.New(rand.NewPCG(seed, 1))
		j := newJournal()
		h := j.handler()
		h.Drain = nil
		sizes := []int{0, 1, 125, 126, 511, 4 << 10, 4<<10 + 1, 16 << 10, 65535, 65536, 70 << 10}
		var want [][]byte
		begin := make(chan bool, 1)
		next := func(c *Conn, flushed bool) {
			p := bytes.Repeat([]byte{byte(len(want))}, sizes[rnd.IntN(len(sizes))])
			want = append(want, p)
			if err := c.Send(Binary, p); err != nil {
				j.note("send: %v", err)
			}
			if flushed {
				c.Flush()
			}
		}
		h.Message = func(c *Conn, m Message) {
			<-begin // the random source is the handler's
			for range 15 {
				next(c, rnd.IntN(4) == 0)
			}
			j.calls <- "turn"
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h, SendBuffer: 8 << 10, MaxOutbox: 64 << 20})
		p, c := j.opened(t, s)
		for range 3 {
			begin <- true
			p.text("go")
			j.want(t, "turn")
			for range 15 {
				next(c, false)
			}
			for i, w := range want {
				// Read by fits and starts, so that the kernel takes odd amounts.
				if i%7 == 0 {
					time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
				}
				op, got, err := p.next()
				if err != nil || op != Binary || !bytes.Equal(got, w) {
					t.Fatalf("message %d: %v %d bytes, want %d (%v)", i, op, len(got), len(w), err)
				}
			}
			want = nil
		}
		eventually(t, "an empty outbox", func() bool { return c.BufferedAmount() == 0 })
	})
}

func TestBufferedAmountCountsUntilTheKernelTakes(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		read := make(chan bool)
		h.Message = func(c *Conn, m Message) {
			_ = c.SendText("corked")
			if n := c.BufferedAmount(); n != 8 {
				j.note("BufferedAmount %d before the turn's end, want 8", n)
			}
			c.Flush()
			if n := c.BufferedAmount(); n != 0 {
				j.note("BufferedAmount %d after Flush", n)
			}
			j.note("flushed")
			<-read
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		p, c := j.opened(t, s)
		p.text("go")
		p.want("text corked") // while the handler still runs
		j.want(t, "flushed")
		close(read)
		if err := c.SendText("now"); err != nil {
			t.Fatal(err)
		}
		p.want("text now")
	})
}

func TestSixteenMiBBothWays(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		s := serve(t, ServerOptions{Config: cfg, MaxOutbox: 32 << 20, Handler: Handler{
			Message: func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }}})
		p := join(t, s)
		msg := strings.Repeat("0123456789abcdef", 1<<20)
		go func() { _, _ = p.conn.Write(append(frameOf(Text, msg), closeOf(1000, "")...)) }()
		p.want("text "+msg, "close 1000")
	})
}

func TestFragmentsInEverySplit(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		all := bytes.Join([][]byte{partOf(Text, "al"), frameOf(codec.Ping, "in between"), partOf(codec.Continuation, "l in"),
			frameOf(codec.Continuation, " one"), frameOf(Binary, strings.Repeat("x", 300))}, nil)
		for at := 1; at < len(all); at += 1 + at/40 {
			p, _ := j.opened(t, s)
			p.write(all[:at])
			eventually(t, "the first part", func() bool { return s.e.Stats().BytesIn > 0 })
			p.write(all[at:], closeOf(1000, ""))
			p.fin()
			j.want(t, "ping in between", "text all in one", "binary "+strings.Repeat("x", 300), "close 1000")
			p.conn.Close()
		}
	})
}

// Sends of many goroutines stay whole, and those of one keep their order.
func TestSendFromManyGoroutines(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) { _ = c.SendText("0 turn") }
		s := serve(t, ServerOptions{Config: cfg, Handler: h, SendBuffer: 64 << 10, MaxOutbox: 256 << 20})
		p, c := j.opened(t, s)
		const senders, each = 8, 100
		var wg sync.WaitGroup
		for g := range senders {
			wg.Go(func() {
				for i := range each {
					pad := strings.Repeat(string(rune('a'+g)), i*i%9000)
					if err := c.SendText(fmt.Sprintf("%d %d %s", g+1, i, pad)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		go func() {
			for range each { // turns, corked, among them
				if _, err := p.conn.Write(frameOf(Text, "x")); err != nil {
					return
				}
			}
		}()
		var got [senders + 1]int
		for range (senders + 1) * each {
			_, payload, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			var g, i int
			if string(payload) == "0 turn" {
				got[0]++
				continue
			}
			if _, err := fmt.Sscan(string(payload), &g, &i); err != nil {
				t.Fatalf("%.100q: %v", payload, err)
			}
			if i != got[g] {
				t.Fatalf("sender %d: message %d, want %d", g, i, got[g])
			}
			got[g]++
			if want := fmt.Sprintf("%d %d %s", g, i, strings.Repeat(string(rune('a'+g-1)), i*i%9000)); string(payload) != want {
				t.Fatalf("sender %d, message %d is not whole", g, i)
			}
		}
		wg.Wait()
	})
}
