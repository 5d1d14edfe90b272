//go:build unix

package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

func TestCloseByPeerIsAnsweredInKind(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		for _, code := range []CloseCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999} {
			p, c := j.opened(t, s)
			p.write(closeOf(code, "why"))
			p.want(strings.TrimSuffix(describe(codec.Close, codec.AppendClose(nil, code, "why")), "\n"))
			p.end()
			p.conn.Close()
			j.want(t, describe(codec.Close, codec.AppendClose(nil, code, "why")))
			if c.ReadyState() != Closed {
				t.Fatalf("state %v after Close was called", c.ReadyState())
			}
		}
	})
}

func TestEmptyCloseIs1005(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, _ := j.opened(t, s)
		p.write(closeOf(CodeNoStatus, ""))
		p.want("close")
		p.end()
		p.fin()
		j.want(t, "close 1005")
	})
}

func TestCloseReportsThePeersCode(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		if err := c.Close(4001, "ours"); err != nil {
			t.Fatal(err)
		}
		if got := c.ReadyState(); got != Closing {
			t.Fatalf("state %v right after Close", got)
		}
		p.want("close 4001 ours")
		p.write(closeOf(4002, "theirs"))
		p.end()
		p.fin()
		j.want(t, "close 4002 theirs")
	})
}

func TestCloseTwiceSendsOneFrame(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		for i := range 3 {
			if err := c.Close(4000+CloseCode(i), ""); err != nil {
				t.Fatal(err)
			}
		}
		p.want("close 4000")
		p.write(closeOf(1000, ""))
		p.end()
		p.fin()
		j.want(t, "close 1000")
		if err := c.Close(1000, ""); err != nil {
			t.Fatalf("Close after the end: %v", err)
		}
	})
}

func TestCloseBothAtOnce(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		for range 50 {
			p, c := j.opened(t, s)
			done := make(chan error, 1)
			go func() { done <- c.Close(4001, "server") }()
			p.write(closeOf(4002, "client"))
			op, payload, err := p.next()
			if err != nil || op != codec.Close {
				t.Fatal(op, payload, err)
			}
			p.end()
			p.conn.Close()
			j.want(t, "close 4002 client")
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSendsBeforeCloseArriveAndLaterOnesFail(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) {
			_ = c.SendText("one")
			_ = c.SendText("two")
			_ = c.Close(1000, "bye")
			for _, err := range []error{c.SendText("late"), c.Ping(nil), c.Pong(nil)} {
				var se *StateError
				if !errors.Is(err, ErrNotOpen) || !errors.As(err, &se) || se.State != Closing {
					j.note("send after Close: %v", err)
				}
			}
			j.note("done")
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		p, c := j.opened(t, s)
		p.text("go")
		p.want("text one", "text two", "close 1000 bye")
		j.want(t, "done")
		// Inbound messages and pings are still heard, and no pong answers (ws 97).
		p.write(frameOf(codec.Ping, "p"), closeOf(1000, ""))
		p.end()
		p.fin()
		j.want(t, "ping p", "close 1000")
		if err := c.SendText("x"); err == nil || err.Error() != "WebSocket is not open: readyState 3 (CLOSED)" {
			t.Fatalf("Send on a closed connection: %v", err)
		}
		if c.BufferedAmount() != 0 {
			t.Fatal(c.BufferedAmount())
		}
	})
}

func TestCloseValidates(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler()})
	p, c := j.opened(t, s)
	for _, code := range []CloseCode{0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65535} {
		if err := c.Close(code, ""); !errors.Is(err, codec.ErrInvalidCloseCode) {
			t.Errorf("Close(%d): %v", code, err)
		}
	}
	for _, reason := range []string{strings.Repeat("x", 124), strings.Repeat("é", 62)} {
		if err := c.Close(1000, reason); !errors.Is(err, codec.ErrReasonTooLong) {
			t.Errorf("Close with %d bytes: %v", len(reason), err)
		}
	}
	if err := c.Ping(make([]byte, 126)); !errors.Is(err, ErrControlTooLong) {
		t.Errorf("Ping of 126 bytes: %v", err)
	}
	if c.ReadyState() != Open {
		t.Fatalf("state %v after refused calls", c.ReadyState())
	}
	reason := strings.Repeat("x", 123)
	if err := c.Close(1000, reason); err != nil {
		t.Fatal(err)
	}
	p.want("close 1000 " + reason)
}

// What the peer sends after its close frame is read and dropped.
func TestNothingIsDeliveredAfterCloseFrame(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, _ := j.opened(t, s)
		p.write(frameOf(Text, "a"), closeOf(1000, ""), frameOf(Text, "b"), []byte("garbage"))
		p.want("close 1000")
		p.end()
		p.write(frameOf(Text, "c"))
		p.fin()
		j.want(t, "text a", "close 1000")
		j.none(t, 20*time.Millisecond)
	})
}

func TestCloseTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 200 * time.Millisecond
	cases := []struct {
		name, call string
		answer     []byte
	}{
		{"silent peer", "close 1006", nil},
		{"answers and keeps TCP open", "close 1000 ok", closeOf(1000, "ok")},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			dispatches(t, func(t *testing.T, cfg Config) {
				j := newJournal()
				s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), CloseTimeout: timeout})
				p, c := j.opened(t, s)
				began := time.Now()
				if err := c.Close(1000, ""); err != nil {
					t.Fatal(err)
				}
				p.want("close 1000")
				if tc.answer != nil {
					p.write(tc.answer)
					p.end() // the FIN does not wait for the timer
					if d := time.Since(began); d > timeout {
						t.Logf("FIN after %v", d)
					}
				}
				j.want(t, tc.call)
				if d := time.Since(began); d < timeout {
					t.Fatalf("ended after %v, before CloseTimeout", d)
				}
				p.gone()
			})
		})
	}
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		c.Terminate()
		p.end() // no close frame
		j.want(t, "close 1006")
		c.Terminate()
		if c.ReadyState() != Closed || c.RemoteAddr() != nil || c.LocalAddr() != nil {
			t.Fatal(c.ReadyState(), c.RemoteAddr(), c.LocalAddr())
		}
	})
}
