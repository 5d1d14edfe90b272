//go:build unix

package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

func TestR6PauseWithinTheHandler(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) {
			j.note("%s", m.Data)
			if strings.HasPrefix(string(m.Data), "pause") {
				c.Pause()
			}
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		p, c := j.opened(t, s)
		half := frameOf(Text, "in two parts")
		p.write(frameOf(Text, "1"), frameOf(Text, "pause 2"), frameOf(Text, "3"), frameOf(codec.Ping, "4"),
			frameOf(Text, "pause 5"), frameOf(Text, "6"), half[:9])
		j.want(t, "1", "pause 2")
		p.write(half[9:])
		j.none(t, 20*time.Millisecond)
		c.Resume()
		j.want(t, "3", "ping 4", "pause 5")
		j.none(t, 20*time.Millisecond)
		c.Resume()
		j.want(t, "6", "in two parts")
	})
}

func TestR6PauseInOpenHoldsPipelinedFrames(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Open = func(c *Conn, _ *Request) { c.Pause(); j.note("open"); j.conns <- c }
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		p := connect(t, s)
		p.write([]byte(upgradeHead), frameOf(Text, "a"), frameOf(Text, "b"))
		p.switched()
		j.want(t, "open")
		c := j.conn(t)
		j.none(t, 20*time.Millisecond)
		c.Resume()
		j.want(t, "text a", "text b")
	})
}

// A paused descriptor whose peer hung up costs nothing: no turn is asked for and
// the loop sleeps.
func TestR6PausedHangUpIsSilent(t *testing.T) {
	for _, end := range []struct {
		name string
		do   func(*peer)
	}{{"FIN", (*peer).fin}, {"RST", (*peer).reset}} {
		t.Run(end.name, func(t *testing.T) {
			dispatches(t, func(t *testing.T, cfg Config) {
				j := newJournal()
				s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
				p, c := j.opened(t, s)
				c.Pause()
				end.do(p)
				eventually(t, "the turn to end", func() bool { return c.work.Load() == 0 })
				before := cpuTime(t)
				const while = 300 * time.Millisecond
				for limit := time.Now().Add(while); time.Now().Before(limit); time.Sleep(time.Millisecond) {
					if w := c.work.Load(); w != 0 {
						t.Fatalf("a paused connection has marks %#x", w)
					}
				}
				if used := cpuTime(t) - before; used > while/2 {
					t.Fatalf("%v of CPU in %v with one paused, hung-up connection", used, while)
				}
				c.Resume()
				j.want(t, "close 1006")
			})
		})
	}
}

// Output that was queued when the pause began still leaves.
func TestR6PausedOutboxIsFlushed(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), MaxOutbox: 64 << 20})
		for _, pauseFirst := range []bool{false, true} {
			p, c := j.opened(t, s)
			if pauseFirst {
				c.Pause()
			}
			big := strings.Repeat("x", 1<<20)
			n := 0
			for ; c.BufferedAmount() < 4<<20; n++ {
				if err := c.SendText(big); err != nil {
					t.Fatal(err)
				}
			}
			c.Pause()
			for range n {
				p.want("text " + big)
			}
			j.want(t, "drain")
			p.text("unheard")
			j.none(t, 20*time.Millisecond)
			c.Resume()
			j.want(t, "text unheard")
			p.conn.Close()
			j.want(t, "close 1006")
		}
	})
}

func TestR6TerminateWhilePaused(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) { c.Pause(); j.note("%s", m.Data) }
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		p, c := j.opened(t, s)
		p.write(frameOf(Text, "1"), frameOf(Text, "2"))
		j.want(t, "1")
		c.Terminate()
		j.want(t, "close 1006")
		p.gone()
		if !c.IsPaused() {
			t.Error("the end of a connection ended its pause")
		}
	})
}

// Close on a paused connection sends its frame; the answer is not noticed, so the
// time limit ends it.
func TestR6CloseWhilePaused(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), CloseTimeout: 200 * time.Millisecond})
		p, c := j.opened(t, s)
		c.Pause()
		if err := c.Close(1000, ""); err != nil {
			t.Fatal(err)
		}
		p.want("close 1000")
		p.write(closeOf(1000, ""))
		j.want(t, "close 1006")

		p, c = j.opened(t, s)
		c.Pause()
		if err := c.Close(1000, ""); err != nil {
			t.Fatal(err)
		}
		p.want("close 1000")
		p.write(closeOf(1000, "ok"))
		c.Resume()
		p.end()
		p.fin()
		j.want(t, "close 1000 ok")
	})
}

// Pausing and resuming from outside, at any moment, loses nothing.
func TestR6PauseAndResumeLoseNothing(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		const n = 3000
		var all []byte
		want := make([]string, n)
		for i := range want {
			want[i] = "text " + strings.Repeat(string(rune('a'+i%26)), i%300+1)
			all = append(all, frameOf(Text, want[i][5:])...)
		}
		quit, done := make(chan bool), make(chan bool)
		go func() {
			defer close(done)
			for {
				select {
				case <-quit:
					return
				default:
					c.Pause()
					c.Resume()
				}
			}
		}()
		go func() {
			for len(all) > 0 {
				k := min(len(all), 777)
				if _, err := p.conn.Write(all[:k]); err != nil {
					return
				}
				all = all[k:]
			}
		}()
		j.want(t, want...)
		close(quit)
		<-done
		p.fin()
		j.want(t, "close 1006")
	})
}
