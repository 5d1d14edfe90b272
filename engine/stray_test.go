//go:build unix

package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/roost-ws/roost/internal/testio"
)

// These rules were first broken under the simulated kernel, by what no test over real
// sockets had made happen.

// A hang-up that was meant for the descriptor's owner before ends no wait for a verdict.
func TestR4StrayHangupDuringAVerdict(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		verdicts := make(chan VerifyCallback, 1)
		s := serve(t, ServerOptions{Config: cfg, VerifyClientAsync: func(_ context.Context, _ *VerifyInfo, done VerifyCallback) {
			verdicts <- done
		}})
		p := connect(t, s)
		p.write([]byte(upgradeHead))
		done := receive(t, verdicts, "the question")
		s.each(func(c *Conn) { c.kick(markHangup) })
		eventually(t, "the hang-up to be looked at", func() bool {
			idle := true
			s.each(func(c *Conn) { idle = c.work.Load() == 0 })
			return idle
		})
		done(true, 0, "", nil)
		p.switched()
	})
}

// Resume after the end asks nothing of the poller.
func TestR5ResumeAfterClose(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		log := new(testio.Log)
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
		conns, closed := make(chan *Conn, 1), make(chan bool, 1)
		s := serve(t, ServerOptions{Config: cfg, Handler: Handler{
			Open:  func(c *Conn, _ *Request) { conns <- c },
			Close: func(*Conn, CloseCode, string) { closed <- true },
		}})
		join(t, s)
		c := receive(t, conns, "Open")
		fill(t, c)
		c.Pause()
		c.Terminate()
		receive(t, closed, "Close")
		eventually(t, "the descriptor to be closed", func() bool { return c.RemoteAddr() == nil })
		c.Resume()
		if n := log.Count("poller"); n != 0 {
			t.Errorf("the poller failed %d times", n)
		}
	})
}

// A Done that panics keeps the others, Error and Close from nothing.
func TestR8PanicInDone(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		calls := make(chan string, 10)
		s := serve(t, ServerOptions{Config: cfg, Handler: Handler{
			Open: func(c *Conn, _ *Request) {
				fill(t, c)
				for _, name := range []string{"first", "second", "third"} {
					err := c.SendWith(Text, []byte(name), SendOptions{Done: func(error) {
						calls <- name
						if name == "first" {
							panic(name)
						}
					}})
					if err != nil {
						t.Error(err)
					}
				}
				c.mu.Lock()
				c.blame(errors.New("trouble"))
				c.mu.Unlock()
				c.Terminate()
			},
			Error: func(_ *Conn, err error) { calls <- err.Error() },
			Close: func(*Conn, CloseCode, string) { calls <- "close" },
		}})
		join(t, s)
		for _, want := range []string{"first", "second", "third", "trouble", "close"} {
			if got := receive(t, calls, want); got != want {
				t.Fatalf("call %q, want %q", got, want)
			}
		}
	})
}

// What stood behind the message that made its handler panic is read all the same, and
// with it the peer's FIN: the loop was told of them once, before.
func TestR7EndBehindAPanic(t *testing.T) {
	t.Parallel()
	began, release := make(chan bool), make(chan bool)
	closed := make(chan bool, 2)
	s := serve(t, ServerOptions{
		Config: Config{Dispatch: DispatchLoop, Loops: 1, ReadBuffer: minReadBuffer},
		Handler: Handler{
			Message: func(_ *Conn, m Message) {
				if string(m.Data) == "block" {
					began <- true
					<-release
					return
				}
				panic("first")
			},
			Close: func(*Conn, CloseCode, string) { closed <- true },
		},
	})
	other, p := join(t, s), join(t, s)
	other.text("block")
	receive(t, began, "the loop to be busy")
	p.text("bad")
	p.write(bytes.Repeat(frameOf(Text, "behind"), 2000))
	p.fin()
	release <- true
	receive(t, closed, "Close")
}
