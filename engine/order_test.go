//go:build unix

package engine

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// Calls of one connection's handler never overlap and keep the order of the wire,
// while others pause, resume, ping, send and flush it as fast as they can.
func TestR2CallsKeepOrderAndNeverOverlap(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		var busy, overlaps, next, disorder atomic.Int32
		enter := func() func() {
			if !busy.CompareAndSwap(0, 1) {
				overlaps.Add(1)
			}
			return func() { busy.Store(0) }
		}
		done := make(chan bool)
		conns := make(chan *Conn, 1)
		const n = 20_000
		s := serve(t, ServerOptions{Config: cfg, Handler: Handler{
			Open: func(c *Conn, _ *Request) { defer enter()(); conns <- c },
			Message: func(c *Conn, m Message) {
				defer enter()()
				if want := fmt.Sprint(next.Add(1) - 1); string(m.Data) != want {
					disorder.Add(1)
				}
				if next.Load() == n {
					close(done)
				}
			},
			Ping:  func(*Conn, []byte) { defer enter()() },
			Pong:  func(*Conn, []byte) { defer enter()() },
			Drain: func(*Conn) { defer enter()() },
		}})
		p := join(t, s)
		c := receive(t, conns, "Open")
		quit := make(chan bool)
		var wg sync.WaitGroup
		for _, disturb := range []func(){
			func() { c.Pause(); c.Resume() },
			func() { _ = c.Ping([]byte("x")); c.Flush() },
			func() { _ = c.SendText("y"); c.BufferedAmount() },
			func() { c.kick(markTimer) },
		} {
			wg.Go(func() {
				for {
					select {
					case <-quit:
						return
					default:
						disturb()
						time.Sleep(20 * time.Microsecond) // the others come to run between
					}
				}
			})
		}
		go func() { // what is sent to us must be read, or reading of us ends
			for {
				if _, _, err := p.next(); err != nil {
					return
				}
			}
		}()
		var all []byte
		for i := range n {
			all = append(all, frameOf(Text, fmt.Sprint(i))...)
			if i%100 == 0 {
				all = append(all, frameOf(codec.Ping, "")...)
			}
		}
		for at := 0; at < len(all); {
			k := min(1+at%5000, len(all)-at)
			p.write(all[at : at+k])
			at += k
		}
		receive(t, done, "the last message")
		close(quit)
		wg.Wait()
		if overlaps.Load() != 0 || disorder.Load() != 0 {
			t.Fatalf("%d calls overlapped, %d messages out of order", overlaps.Load(), disorder.Load())
		}
	})
}

// Closing from many goroutines at once, during traffic, is one closing.
func TestR2CloseFromManyGoroutines(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message, h.Ping = nil, nil
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		for i := range 30 {
			p, c := j.opened(t, s)
			go func() {
				f := append(frameOf(Text, "x"), frameOf(codec.Ping, "")...)
				for {
					if _, err := p.conn.Write(f); err != nil {
						return
					}
				}
			}()
			var wg sync.WaitGroup
			for k := range 6 {
				wg.Go(func() {
					if k == 0 && i%2 == 0 {
						c.Terminate()
						return
					}
					_ = c.Close(1000, "")
				})
			}
			wg.Wait()
			go io.Copy(io.Discard, p.r) // reads the close frame
			if i%2 != 0 {
				p.conn.CloseWrite()
			}
			j.want(t, "close 1006")
			p.conn.Close()
		}
	})
}

// With the pool, handlers that block hold up nobody else: the loop goes on and
// other connections get other workers.
func TestBlockedHandlersHoldUpNobody(t *testing.T) {
	const sleepers = 64
	var asleep atomic.Int32
	wake := make(chan bool)
	rise := sync.OnceFunc(func() { close(wake) })
	defer rise()
	h := Handler{Message: func(c *Conn, m Message) {
		if string(m.Data) == "sleep" {
			asleep.Add(1)
			<-wake
		}
		_ = c.Send(m.Opcode(), m.Data)
	}}
	s := serve(t, ServerOptions{Handler: h})
	// What a busy machine does to everybody, it does to a server without sleepers too.
	peers := [...]*peer{join(t, s), join(t, serve(t, ServerOptions{Handler: h}))}
	var in []*peer
	for range sleepers {
		in = append(in, join(t, s))
	}
	for _, q := range in {
		q.text("sleep")
	}
	eventually(t, "handlers to block", func() bool { return asleep.Load() == sleepers })
	var over [len(peers)]int
	for range 200 {
		for i, p := range peers {
			began := time.Now()
			p.text("now")
			p.want("text now")
			if time.Since(began) > 20*time.Millisecond {
				over[i]++
			}
		}
	}
	if over[0] > 2+2*over[1] {
		t.Errorf("%d of 200 round trips took more than 20 ms while %d handlers slept, and %d where none did", over[0], sleepers, over[1])
	}
	rise()
	for _, q := range in {
		q.want("text sleep")
	}
}
