//go:build unix

package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// journal is a Handler that notes its calls.
type journal struct {
	calls chan string
	conns chan *Conn // of Open
}

func newJournal() *journal {
	return &journal{calls: make(chan string, 1<<16), conns: make(chan *Conn, 1<<10)}
}

func (j *journal) note(format string, args ...any) {
	j.calls <- strings.TrimSpace(fmt.Sprintf(format, args...))
}

// handler notes every call.
func (j *journal) handler() Handler {
	return Handler{
		Open:    func(c *Conn, _ *Request) { j.note("open"); j.conns <- c },
		Message: func(c *Conn, m Message) { j.note("%s", describe(m.Opcode(), m.Data)) },
		Ping:    func(c *Conn, data []byte) { j.note("ping %s", data) },
		Pong:    func(c *Conn, data []byte) { j.note("pong %s", data) },
		Drain:   func(c *Conn) { j.note("drain") },
		Error:   func(c *Conn, err error) { j.note("error %v", short(err)) },
		Close: func(c *Conn, code CloseCode, reason string) {
			j.note("close %d %s", code, reason)
		},
	}
}

// echo notes every call and sends messages back.
func (j *journal) echo() Handler {
	h := j.handler()
	note := h.Message
	h.Message = func(c *Conn, m Message) {
		note(c, m)
		if err := c.Send(m.Opcode(), m.Data); err != nil {
			j.note("send failed: %v", err)
		}
	}
	return h
}

func short(err error) any {
	if e, ok := err.(*codec.Error); ok {
		return e.ID
	}
	return err
}

// want compares the next calls.
func (j *journal) want(t testing.TB, calls ...string) {
	t.Helper()
	for _, w := range calls {
		if got := receive(t, j.calls, fmt.Sprintf("the call %.80q", w)); got != w {
			t.Fatalf("call %.200q, want %.200q", got, w)
		}
	}
}

// none makes sure that nothing was called for a while.
func (j *journal) none(t testing.TB, while time.Duration) {
	t.Helper()
	select {
	case got := <-j.calls:
		t.Fatalf("call %q, want none", got)
	case <-time.After(while):
	}
}

// conn waits for the next connection's Open.
func (j *journal) conn(t testing.TB) *Conn {
	t.Helper()
	return receive(t, j.conns, "Open")
}

// opened is a connection from both ends, with its Open consumed.
func (j *journal) opened(t testing.TB, s *Server) (*peer, *Conn) {
	t.Helper()
	p := join(t, s)
	c := j.conn(t)
	j.want(t, "open")
	return p, c
}
