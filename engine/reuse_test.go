//go:build unix

package engine

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-ws/roost/poller"
)

// Those who still hold connections that are gone send, close, pause and flush on
// them all the time, while their descriptor numbers are given to new ones. None of
// it may reach a new connection. Nobody else may take those numbers.
func TestR5StaleConnReachesNobody(t *testing.T) {
	inTurn(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		var mu sync.Mutex
		var stale []*Conn
		var wg sync.WaitGroup
		quit := make(chan bool)
		for range 3 {
			wg.Go(func() {
				for {
					select {
					case <-quit:
						return
					default:
					}
					mu.Lock()
					some := stale
					mu.Unlock()
					for _, c := range some[max(0, len(some)-20):] {
						c.Flush()
						c.Pause()
						_ = c.SendText("from the dead")
						_ = c.Ping(nil)
						c.Resume()
						_ = c.Close(4000, "")
						c.Terminate()
						_ = c.RemoteAddr()
					}
					time.Sleep(50 * time.Microsecond)
				}
			})
		}
		numbers := map[int32]int{}
		for i := range 300 {
			p := join(t, s)
			c := j.conn(t)
			j.want(t, "open")
			c.mu.Lock()
			numbers[c.fd]++
			c.mu.Unlock()
			text := fmt.Sprintf("i am %d", i)
			p.text(text)
			p.want("text " + text)
			if i%3 == 0 {
				p.reset()
			} else {
				p.write(closeOf(1000, ""))
				p.want("close 1000")
				p.end()
				p.conn.Close()
			}
			receive(t, j.calls, "Close")
			mu.Lock()
			stale = append(stale, c)
			mu.Unlock()
		}
		close(quit)
		wg.Wait()
		if len(numbers) > 100 {
			t.Errorf("%d numbers for 300 connections: the reuse was not tested", len(numbers))
		}
	})
}

// An event that was meant for a number's former owner costs its new owner a look
// and nothing else, whatever it says.
func TestR4StaleEventReachesNobody(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.echo()})
		p, c := j.opened(t, s)
		paused, pc := j.opened(t, s)
		pc.Pause()
		paused.text("not yet")
		waitUnread(t, pc, len(frameOf(Text, "not yet")))
		for _, ready := range []poller.Ready{poller.Readable, poller.Writable, poller.Hangup, poller.Readable | poller.Writable | poller.Hangup} {
			for _, c := range []*Conn{c, pc} {
				c.kick(uint32(ready))
				eventually(t, "the turn to end", func() bool { return c.work.Load() == 0 })
			}
		}
		p.text("still here")
		p.want("text still here")
		j.want(t, "text still here")
		pc.Resume()
		paused.want("text not yet")
		j.want(t, "text not yet")
	})
}

// Connections that end in every way at once: each is opened once and closed once,
// and afterwards nothing is left.
func TestR10OpenFirstCloseLastOnce(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		type life struct{ opens, closes atomic.Int32 }
		var lives sync.Map
		of := func(c *Conn) *life {
			v, _ := lives.LoadOrStore(c, new(life))
			return v.(*life)
		}
		var wrong atomic.Int32
		during := func(c *Conn) {
			if l := of(c); l.opens.Load() != 1 || l.closes.Load() != 0 {
				wrong.Add(1)
			}
		}
		s := serve(t, ServerOptions{Config: cfg, CloseTimeout: 200 * time.Millisecond, Handler: Handler{
			Open: func(c *Conn, _ *Request) { of(c).opens.Add(1) },
			Message: func(c *Conn, m Message) {
				during(c)
				switch string(m.Data) {
				case "close":
					_ = c.Close(1000, "")
				case "terminate":
					c.Terminate()
				}
			},
			Error: func(c *Conn, _ error) { during(c) },
			Close: func(c *Conn, _ CloseCode, _ string) { of(c).closes.Add(1) },
		}})
		ends := []func(*peer){
			(*peer).reset, (*peer).fin,
			func(p *peer) { p.conn.Close() },
			func(p *peer) { p.write(closeOf(1000, "")); p.reset() },
			func(p *peer) { p.text("close"); p.reset() },
			func(p *peer) { p.text("close"); p.write(closeOf(1000, "")); p.fin() },
			func(p *peer) { p.text("close") },
			func(p *peer) { p.text("terminate") },
			func(p *peer) { p.write([]byte{0xff, 0xff}); p.fin() },
			func(p *peer) { p.write(frameOf(Text, "terminate"), frameOf(Text, "close"), closeOf(1000, "")) },
		}
		const n = 200
		for i := range n {
			p := join(t, s)
			go ends[i%len(ends)](p)
		}
		eventually(t, "all to be gone", func() bool { st := s.e.Stats(); return st.Conns == 0 && st.Opened == n })
		count := 0
		lives.Range(func(_, v any) bool {
			count++
			if l := v.(*life); l.opens.Load() != 1 || l.closes.Load() != 1 {
				t.Errorf("%d times Open, %d times Close", l.opens.Load(), l.closes.Load())
			}
			return true
		})
		if count != n || wrong.Load() != 0 {
			t.Errorf("%d connections, want %d; %d calls outside of Open and Close", count, n, wrong.Load())
		}
		if st := s.e.Stats(); st.Closed != n || st.Accepted != n {
			t.Errorf("%+v", st)
		}
	})
}
