//go:build unix

package engine

import (
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

func TestR7MessageAndFINTogether(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		for range 200 {
			p, _ := j.opened(t, s)
			p.write(frameOf(Text, "a"), frameOf(Text, "b"))
			p.fin()
			j.want(t, "text a", "text b", "close 1006")
			p.end()
			p.conn.Close()
		}
	})
}

func TestR7MessageCloseFrameAndFINTogether(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		for range 100 {
			p, _ := j.opened(t, s)
			p.write(frameOf(Text, "last"), closeOf(1000, "bye"))
			p.fin()
			j.want(t, "text last", "close 1000 bye")
			p.want("close 1000 bye")
			p.end()
			p.conn.Close()
		}
	})
}

// The FIN comes while the handler of the last message runs.
func TestR7FINDuringTheHandler(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		entered, leave := make(chan bool), make(chan bool)
		h.Message = func(c *Conn, m Message) {
			entered <- true
			<-leave
			j.note("%s", m.Data)
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		p, _ := j.opened(t, s)
		p.text("a")
		receive(t, entered, "the handler")
		p.text("b")
		p.fin()
		leave <- true
		receive(t, entered, "the handler")
		leave <- true
		j.want(t, "a", "b", "close 1006")
	})
}

func TestR7WhilePaused(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		write []byte
		end   func(*peer)
		calls []string
	}{
		{"FIN", frameOf(Text, "x"), (*peer).fin, []string{"text x", "close 1006"}},
		{"close frame and FIN", append(frameOf(Text, "x"), closeOf(4000, "y")...), (*peer).fin, []string{"text x", "close 4000 y"}},
		{"RST", frameOf(Text, "x"), (*peer).reset, []string{"text x", "close 1006"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			modes(t, func(t *testing.T, cfg Config) {
				j := newJournal()
				s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
				p, c := j.opened(t, s)
				c.Pause()
				p.write(tc.write)
				waitUnread(t, c, len(tc.write))
				tc.end(p)
				j.none(t, 30*time.Millisecond)
				if c.ReadyState() != Open || !c.IsPaused() {
					t.Fatal(c.ReadyState(), c.IsPaused())
				}
				c.Resume()
				j.want(t, tc.calls...)
			})
		})
	}
}

// A send finds out that the peer of a paused connection reset. What came before
// is still delivered, in order, and then the end.
func TestR7BrokenWhilePaused(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) {
			if string(m.Data) == "1" {
				c.Pause()
			}
			j.note("%s", m.Data)
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		p, c := j.opened(t, s)
		p.write(frameOf(Text, "1"), frameOf(Text, "2"), frameOf(Text, "3"))
		j.want(t, "1")
		last := append(frameOf(Text, "4"), frameOf(Text, "5")...)
		p.write(last)
		waitUnread(t, c, len(last))
		p.reset()
		eventually(t, "a send to fail", func() bool { return c.SendText("x") != nil })
		j.want(t, "2", "3", "4", "5", "close 1006")
	})
}

// A peer that resets while output is queued is no error, only an end (ws 100).
func TestResetIsNoError(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		big := make([]byte, 1<<20)
		for c.BufferedAmount() == 0 {
			if err := c.Send(Binary, big); err != nil {
				t.Fatal(err)
			}
		}
		p.reset()
		for call := ""; call != "close 1006"; {
			call = receive(t, j.calls, "close")
			if call != "close 1006" && call != "drain" {
				t.Fatal(call)
			}
		}
		if c.BufferedAmount() != 0 {
			t.Fatal(c.BufferedAmount())
		}
	})
}

// The handler's answer to the last message still reaches a peer that has only
// shut down its sending side.
func TestR7AnswerAfterTheFIN(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.echo()})
		for range 50 {
			p, _ := j.opened(t, s)
			p.text("question")
			p.fin()
			p.want("text question")
			p.end()
			j.want(t, "text question", "close 1006")
		}
	})
}

func TestR7UnfinishedMessageIsDropped(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, _ := j.opened(t, s)
		f := frameOf(Text, "whole")
		p.write(f, partOf(Text, "half"), frameOf(codec.Ping, "!"), frameOf(codec.Continuation, "rest")[:8])
		p.fin()
		j.want(t, "text whole", "ping !", "close 1006")
	})
}
