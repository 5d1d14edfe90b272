//go:build unix

package engine

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// scene is how each of a Handler's functions is brought to be called.
type scene struct {
	name  string
	panic func(h *Handler, v any) // makes the function panic, for the text "bad" where it matters
	act   func(p *peer, c *Conn)
}

var scenes = []scene{
	{"Open", nil, nil}, // panics on every connection: see TestR8PanicInOpen
	{"Message", func(h *Handler, v any) { h.Message = func(c *Conn, m Message) { panic(v) } },
		func(p *peer, _ *Conn) { p.text("x") }},
	{"Ping", func(h *Handler, v any) { h.Ping = func(*Conn, []byte) { panic(v) } },
		func(p *peer, _ *Conn) { p.write(frameOf(codec.Ping, "x")) }},
	{"Pong", func(h *Handler, v any) { h.Pong = func(*Conn, []byte) { panic(v) } },
		func(p *peer, _ *Conn) { p.write(frameOf(codec.Pong, "x")) }},
	{"Drain", func(h *Handler, v any) { h.Drain = func(*Conn) { panic(v) } },
		func(p *peer, c *Conn) { fill(p.t, c) }},
	{"Error", func(h *Handler, v any) { h.Error = func(*Conn, error) { panic(v) } },
		func(p *peer, _ *Conn) { p.write([]byte{0xff, 0x80}) }},
	{"Close", func(h *Handler, v any) { h.Close = func(*Conn, CloseCode, string) { panic(v) } },
		func(p *peer, _ *Conn) { p.write(closeOf(1000, "")) }},
}

// fill sends until some of it waits in the outbox, above the high-water mark.
func fill(t testing.TB, c *Conn) {
	t.Helper()
	big := make([]byte, 1<<20)
	for c.BufferedAmount() <= defaultHighWater {
		if err := c.Send(Binary, big); err != nil {
			t.Error(err)
			return
		}
	}
}

// skipBinary reads frames until one is neither binary nor a pong.
func skipBinary(p *peer) string {
	p.t.Helper()
	for {
		op, payload, err := p.next()
		if err != nil {
			p.t.Fatal(err)
		}
		if op != Binary && op != codec.Pong {
			return describe(op, payload)
		}
	}
}

func TestR8PanicEndsOneConnection(t *testing.T) {
	t.Parallel()
	for _, sc := range scenes[1:] {
		t.Run(sc.name, func(t *testing.T) {
			modes(t, func(t *testing.T, cfg Config) {
				j := newJournal()
				h := j.echo()
				sc.panic(&h, "on purpose")
				s := serve(t, ServerOptions{Config: cfg, Handler: h})
				other := newJournal()
				bystander := serve(t, ServerOptions{Engine: s.e, Handler: other.echo()})
				b, _ := other.opened(t, bystander)
				p, c := j.opened(t, s)
				sc.act(p, c)
				code := map[string]string{"Error": "close 1002", "Close": "close 1000"}[sc.name]
				if code == "" {
					code = "close 1011"
				}
				if got := skipBinary(p); got != code {
					t.Fatalf("the peer is told %q, want %q", got, code)
				}
				p.end()
				p.conn.Close()
				if sc.name != "Close" {
					j.want(t, "close 1006")
				}
				eventually(t, "the panic to be counted", func() bool { return s.e.Stats().Panics == 1 })
				b.text("still here")
				b.want("text still here")
				eventually(t, "the descriptor to be closed", func() bool { return s.e.Stats().Conns == 1 })
			})
		})
	}
}

func TestR8PanicInOpen(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Open = func(*Conn, *Request) { panic(errors.New("on purpose")) }
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		p := connect(t, s)
		p.write([]byte(upgradeHead), frameOf(Text, "never seen"))
		p.switched()
		p.want("close 1011")
		p.end()
		p.fin()
		j.want(t, "close 1006")
	})
}

// One panic behind the other: in Message, then in Close.
func TestR8PanicTwice(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(*Conn, Message) { panic(1) }
		h.Close = func(_ *Conn, code CloseCode, _ string) { j.note("close %d", code); panic(2) }
		s := serve(t, ServerOptions{Config: cfg, Handler: h, MaxConnsPerIP: 1})
		for n := range uint64(3) {
			p, _ := j.opened(t, s)
			// The panic leaves a fragment, a pause's rest and a queued answer behind.
			p.write(frameOf(Text, "a"), frameOf(Text, "b"), partOf(Text, "c"))
			p.want("close 1011")
			p.end()
			p.fin()
			j.want(t, "close 1006")
			eventually(t, "both panics", func() bool { st := s.e.Stats(); return st.Panics == 2*(n+1) && st.Conns == 0 })
		}
	})
}

// A panic while the bytes that a pause left are decoded gives them back: serve
// checks it at the end.
func TestR8PanicAfterResume(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) {
			if string(m.Data) == "pause" {
				c.Pause() // before it is told, or Resume may be first
				j.note("pause")
				return
			}
			j.note("%s", m.Data)
			panic("on purpose")
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		p, c := j.opened(t, s)
		p.write(frameOf(Text, "pause"), frameOf(Text, "a"), frameOf(Text, "b"))
		j.want(t, "pause")
		c.Resume()
		p.want("close 1011")
		p.fin()
		j.want(t, "a", "close 1006")
	})
}

// A hook that panics lets nobody in, and costs one connection.
func TestR8PanicInAHook(t *testing.T) {
	t.Parallel()
	boom := func() { panic("on purpose") }
	for name, o := range map[string]ServerOptions{
		"Verify":          {Verify: func(*Request) error { boom(); return nil }},
		"ShouldHandle":    {ShouldHandle: func(*Request) bool { boom(); return true }},
		"HandleProtocols": {HandleProtocols: func([]string, *Request) string { boom(); return "" }},
		"Headers":         {Headers: func(http.Header, *Request) { boom() }},
	} {
		t.Run(name, func(t *testing.T) {
			dispatches(t, func(t *testing.T, cfg Config) {
				j := newJournal()
				o := o
				o.Config, o.Handler = cfg, j.handler()
				s := serve(t, o)
				p := connect(t, s)
				req := request(get, "Sec-WebSocket-Protocol: x")
				p.write(req[:50])
				time.Sleep(time.Millisecond) // so that the head comes in parts, mostly
				p.write(req[50:])
				if res := p.response(); res.StatusCode != http.StatusInternalServerError {
					t.Errorf("answer %s", res.Status)
				}
				p.end()
				p.conn.Close()
				j.none(t, 10*time.Millisecond)
				eventually(t, "the end", func() bool { st := s.e.Stats(); return st.Conns == 0 && st.Panics == 1 })
			})
		})
	}
}
