//go:build unix

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// The wire vectors of Node's ws that have no compression in them, and scenario 85.
func TestFramesOnTheWire(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		ping := strings.Repeat("p", 125)
		for name, tc := range map[string]struct {
			send func(c *Conn) error
			want string
		}{
			"text":             {func(c *Conn) error { return c.SendText("hi") }, "\x81\x02hi"},
			"binary":           {func(c *Conn) error { return c.Send(Binary, []byte("hi")) }, "\x82\x02hi"},
			"bytes as text":    {func(c *Conn) error { return c.Send(Text, []byte("hi")) }, "\x81\x02hi"},
			"empty text":       {func(c *Conn) error { return c.SendText("") }, "\x81\x00"},
			"no data":          {func(c *Conn) error { return c.Send(Binary, nil) }, "\x82\x00"},
			"compress without": {func(c *Conn) error { return c.SendWith(Text, []byte("hi"), SendOptions{}) }, "\x81\x02hi"}, // scenario 60
			"fragments around a ping": {func(c *Conn) error {
				return errors.Join(c.SendWith(Text, []byte("a"), SendOptions{More: true}), c.Ping([]byte("p")),
					c.SendWith(Binary, []byte("c"), SendOptions{}))
			}, "\x01\x01a\x89\x01p\x80\x01c"},
			"close within a message": {func(c *Conn) error {
				return errors.Join(c.SendWith(Text, []byte("a"), SendOptions{More: true}), c.Close(1000, ""))
			}, "\x01\x01a\x88\x02\x03\xe8"},
			"close empty":       {func(c *Conn) error { return c.Close(CodeNoStatus, "") }, "\x88\x00"},
			"close with reason": {func(c *Conn) error { return c.Close(4001, "bye") }, "\x88\x05\x0f\xa1bye"},
			"longest ping":      {func(c *Conn) error { return c.Ping([]byte(ping)) }, "\x89\x7d" + ping},
			"ping of nothing":   {func(c *Conn) error { return c.Ping(nil) }, "\x89\x00"},
			"pong":              {func(c *Conn) error { return c.PongWith([]byte("x"), ControlOptions{}) }, "\x8a\x01x"},
		} {
			j := newJournal()
			s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
			p, c := j.opened(t, s)
			if err := tc.send(c); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := p.wire(len(tc.want)); got != tc.want {
				t.Errorf("%s: % x, want % x", name, got, tc.want)
			}
			p.conn.Close()
		}
	})
}

// A masked frame of a server goes out when asked for; a proper client refuses it.
func TestMaskedFrameOfAServer(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler()})
	for name, send := range map[string]func(c *Conn) error{
		"message": func(c *Conn) error { return c.SendWith(Text, []byte("hi"), SendOptions{Mask: true}) },
		"ping":    func(c *Conn) error { return c.PingWith([]byte("hi"), ControlOptions{Mask: true}) },
	} {
		p, c := j.opened(t, s)
		if err := send(c); err != nil {
			t.Fatal(err)
		}
		h, payload := p.frame()
		codec.Mask(payload, h.Mask, 0)
		if !h.Masked || string(payload) != "hi" {
			t.Errorf("%s: %+v %q", name, h, payload)
		}
		p.conn.Close()
		j.want(t, "close 1006")
		c, _, d := j.dialled(t, s, Dialer{})
		d.want(t, "open")
		if err := send(c); err != nil {
			t.Fatal(err)
		}
		d.want(t, "error WS_ERR_UNEXPECTED_MASK", "close 1006")
		j.want(t, "close 1002")
	}
}

// Scenario 86: what a client sends unmasked.
func TestUnmaskedFrameOfAClient(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler()})
	p, _ := j.opened(t, s)
	p.write([]byte("\x81\x02hi"))
	p.want("close 1002")
	p.fin()
	j.want(t, "error WS_ERR_EXPECTED_MASK", "close 1006")
}

// Scenario 84.
func TestDoneComesInTheOrderOfTheCalls(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), PerMessageDeflate: &DeflateOptions{}})
		p, c := j.opened(t, s)
		done := func(name string) func(error) { return func(err error) { j.note("%s %v", name, err) } }
		big := bytes.Repeat([]byte("x"), 4<<20) // more than the kernel takes at once
		for _, err := range []error{
			c.SendWith(Binary, big, SendOptions{Done: done("big")}),
			c.SendWith(Text, nil, SendOptions{Done: done("empty"), More: true}),
			c.PingWith(nil, ControlOptions{Done: done("ping")}),
			c.SendWith(Text, []byte("x"), SendOptions{Done: done("last")}),
			c.PongWith(nil, ControlOptions{Done: done("pong")}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		h, _ := p.frame()
		if h.Length != int64(len(big)) {
			t.Fatal(h)
		}
		for {
			call := receive(t, j.calls, "Done")
			if call == "drain" {
				continue
			}
			if call != "big <nil>" {
				t.Fatal(call)
			}
			break
		}
		var rest []string
		for len(rest) < 4 {
			if call := receive(t, j.calls, "Done"); call != "drain" {
				rest = append(rest, call)
			}
		}
		if want := []string{"empty <nil>", "ping <nil>", "last <nil>", "pong <nil>"}; !slices.Equal(rest, want) {
			t.Fatal(rest)
		}
		// To a peer that leaves, in order, and before Close.
		p, c = j.opened(t, s)
		for i := range 3 {
			if err := c.SendWith(Binary, big, SendOptions{Done: done(fmt.Sprint(i))}); err != nil {
				t.Fatal(err)
			}
		}
		p.reset()
		j.want(t, "0 "+ErrUnsent.Error(), "1 "+ErrUnsent.Error(), "2 "+ErrUnsent.Error(), "close 1006")
	})
}

// Scenarios 82 and 83: in Go the call itself returns the error, so that nothing that
// was refused is counted.
func TestSendsOnAConnectionThatIsNotOpen(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler()})
	p, c := j.opened(t, s)
	check := func(want string) {
		t.Helper()
		called := false
		done := func(error) { called = true }
		for name, err := range map[string]error{
			"Send": c.SendText("hi"), "SendWith": c.SendWith(Text, []byte("hi"), SendOptions{Done: done}),
			"Ping": c.Ping(nil), "Pong": c.Pong(nil), "NextWriter": second(c.NextWriter(Text)),
			"PingWith": c.PingWith(nil, ControlOptions{Done: done}),
		} {
			if err == nil || err.Error() != want {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, err := range map[string]error{
			"Ping": c.PingWith(nil, ControlOptions{DontFailWhenClosed: true}), "Pong": c.PongWith(nil, ControlOptions{DontFailWhenClosed: true}),
		} {
			if err != nil {
				t.Errorf("%s, which is not to fail: %v", name, err)
			}
		}
		if called || c.BufferedAmount() != 0 {
			t.Error(called, c.BufferedAmount())
		}
	}
	if err := c.Close(1000, ""); err != nil {
		t.Fatal(err)
	}
	p.want("close 1000")
	check("WebSocket is not open: readyState 2 (CLOSING)")
	p.write(closeOf(1000, ""))
	p.end()
	p.fin()
	j.want(t, "close 1000")
	check("WebSocket is not open: readyState 3 (CLOSED)")
}

// Scenario 87.
func TestBufferedAmountIsWhatThePeerHasNotRead(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), SendBuffer: 16 << 10, MaxOutbox: -1})
	p, c := j.opened(t, s)
	p.takesAtOnce(16 << 10)
	part := make([]byte, 64<<10)
	for c.BufferedAmount() == 0 {
		if err := c.Send(Binary, part); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		before := c.BufferedAmount()
		if err := c.Send(Binary, part); err != nil {
			t.Fatal(err)
		}
		// The kernel may have taken some more meanwhile, but no framing is missing.
		if after := c.BufferedAmount(); after > before+len(part)+10 || after < before-len(part) {
			t.Fatalf("%d after %d", after, before)
		}
	}
	p.conn.Close()
	j.want(t, "close 1006")
	if c.BufferedAmount() != 0 {
		t.Fatal(c.BufferedAmount())
	}
}

// Scenario 89: too long a ping is the caller's mistake, and hurts nobody.
func TestControlFramesAreShort(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler()})
	p, c := j.opened(t, s)
	long := make([]byte, 126)
	for _, err := range []error{c.Ping(long), c.Pong(long), c.PingWith(long, ControlOptions{DontFailWhenClosed: true})} {
		if !errors.Is(err, ErrControlTooLong) || err.Error() != "The data size must not be greater than 125 bytes" {
			t.Error(err)
		}
	}
	if c.ReadyState() != Open {
		t.Fatal(c.ReadyState())
	}
	if err := c.SendText("fine"); err != nil {
		t.Fatal(err)
	}
	p.want("text fine")
}

// Scenario 91: a peer that pings and does not read. A burst that it does read is fine.
func TestPendingAutoPongsAreBounded(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		const limit = 5
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), SendBuffer: 16 << 10, MaxPendingAutoPongs: limit})
		for _, pings := range []int{limit - 1, limit} {
			p, c := j.opened(t, s)
			p.takesAtOnce(16 << 10)
			p.write(bytes.Repeat(frameOf(codec.Ping, "burst"), 10*limit))
			for range 10 * limit {
				j.want(t, "ping burst")
				p.want("pong burst")
			}
			for c.BufferedAmount() < 256<<10 {
				if err := c.Send(Binary, make([]byte, 64<<10)); err != nil {
					t.Fatal(err)
				}
			}
			p.write(bytes.Repeat(frameOf(codec.Ping, "p"), pings))
			for range pings {
				j.want(t, "ping p")
			}
			if pings < limit {
				if err := c.Send(Text, nil); err != nil {
					t.Error("ended below the limit:", err)
				}
				p.conn.Close()
			}
			j.want(t, "close 1006")
		}
	})
}

// Scenario 70.
func TestManyEmptyMessagesInOneRead(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, _ := j.opened(t, s)
		const many = 20000
		p.write(bytes.Repeat(frameOf(Text, ""), many))
		for range many {
			j.want(t, "text")
		}
	})
}

// Scenarios 69 and 71: limits count a message, and pings between do not.
func TestLimitsCountOneMessage(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), MaxPayload: 10, MaxFragments: 2})
		p, _ := j.opened(t, s)
		for range 3 {
			p.write(partOf(Text, "Hello"), frameOf(codec.Ping, "longer than ten"), frameOf(codec.Continuation, "World"))
			j.want(t, "ping longer than ten", "text HelloWorld")
		}
		p.write(partOf(Text, ""), partOf(codec.Continuation, ""), frameOf(codec.Continuation, ""))
		p.want("pong longer than ten", "pong longer than ten", "pong longer than ten", "close 1008")
		p.end()
		p.conn.Close()
		j.want(t, "error WS_ERR_TOO_MANY_BUFFERED_PARTS", "close 1006")
		p, _ = j.opened(t, s)
		p.write(partOf(Text, "Hello"), partOf(codec.Continuation, "World!"))
		p.want("close 1009")
	})
}
