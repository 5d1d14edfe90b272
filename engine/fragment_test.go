//go:build unix

package engine

import (
	"errors"
	"strings"
	"testing"
)

// What is published while a message is sent in fragments waits for its last one, and
// cannot keep it from being sent.
func TestLastFragmentIsNotRefusedForWhatWaitsForIt(t *testing.T) {
	t.Parallel()
	for _, slow := range []SlowPolicy{SlowDrop, SlowClose} {
		j := newJournal()
		s := serve(t, ServerOptions{Handler: j.handler(), MaxOutbox: 1000, SlowPolicy: slow})
		topic := NewTopic(s.Engine())
		p, c := j.opened(t, s)
		topic.Subscribe(c)
		if err := c.SendWith(Text, []byte("a"), SendOptions{More: true}); err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("p", 900)
		topic.Publish(Text, []byte(text))
		eventually(t, "the publication to wait", func() bool { return c.BufferedAmount() > 900 })
		last := strings.Repeat("b", 200)
		if err := c.SendText(last); err != nil {
			t.Fatal(err)
		}
		if got := p.wire(3 + 4 + 200); got != "\x01\x01a\x80\x7e\x00\xc8"+last {
			t.Fatalf("%q", got)
		}
		p.want("text " + text)
	}
}

// A fragment that is sent while a writer is open waits with its own rest, and what is
// published goes behind both.
func TestFragmentsBehindAWriterStayWhole(t *testing.T) {
	t.Parallel()
	for _, z := range []*DeflateOptions{nil, {Threshold: -1}} {
		j := newJournal()
		s := serve(t, ServerOptions{Handler: j.handler(), PerMessageDeflate: z})
		topic := NewTopic(s.Engine())
		c, _, d := j.dialled(t, s, Dialer{Options: ConnOptions{PerMessageDeflate: z}})
		d.want(t, "open")
		topic.Subscribe(c)
		w, err := c.NextWriter(Text)
		if err != nil {
			t.Fatal(err)
		}
		part := func(data string, more bool) {
			t.Helper()
			if err := c.SendWith(Text, []byte(data), SendOptions{More: more}); err != nil {
				t.Fatal(err)
			}
		}
		publish := func(data string) {
			t.Helper()
			before := c.BufferedAmount()
			topic.Publish(Text, []byte(data))
			eventually(t, "the publication to wait", func() bool { return c.BufferedAmount() > before })
		}
		part("a", true)
		publish("1")
		part("b", false)
		part("c", true)
		publish("2")
		if err := errors.Join(second(w.Write([]byte("w"))), w.Close()); err != nil {
			t.Fatal(err)
		}
		d.want(t, "text w", "text ab", "text 1")
		if _, err := c.NextWriter(Text); !errors.Is(err, ErrWriting) {
			t.Fatal(err)
		}
		part("d", false)
		part("e", false)
		d.want(t, "text cd", "text 2", "text e")
	}
}

// A message that has begun ends, or its connection does: a fragment without room closes it,
// though whole messages are dropped; also where it waits behind a writer's message.
func TestHalfAMessageEndsTheConnection(t *testing.T) {
	t.Parallel()
	for _, z := range []*DeflateOptions{nil, {Threshold: 1 << 20}} {
		for _, writing := range []bool{false, true} {
			j := newJournal()
			s := serve(t, ServerOptions{Handler: j.handler(), MaxOutbox: 1000, SlowPolicy: SlowDrop, PerMessageDeflate: z})
			p, c := j.opened(t, s)
			if writing {
				if _, err := c.NextWriter(Text); err != nil {
					t.Fatal(err)
				}
			}
			large := make([]byte, 2000)
			if err := c.Send(Binary, large); !errors.Is(err, ErrOutboxFull) || c.ReadyState() != Open {
				t.Fatal(err, c.ReadyState()) // dropped
			}
			for _, err := range []error{
				c.SendWith(Binary, []byte("a"), SendOptions{More: true}),
				c.SendWith(Binary, []byte("b"), SendOptions{More: true}),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Send(Binary, large); !errors.Is(err, ErrOutboxFull) || c.ReadyState() == Open {
				t.Fatal(err, c.ReadyState())
			}
			if got := receive(t, j.calls, "Error"); !strings.HasPrefix(got, "error engine: message of 2000 bytes") {
				t.Fatal(got)
			}
			j.want(t, "close 1006")
			p.conn.Close()
		}
	}
}

// A writer of which a Write is refused sends nothing more: what would be left of its
// message is no message.
func TestWriterEndsWithAWriteThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, begun := range []bool{false, true} {
		j := newJournal()
		s := serve(t, ServerOptions{Handler: j.handler(), MaxOutbox: 1000, SlowPolicy: SlowDrop})
		p, c := j.opened(t, s)
		w, err := c.NextWriter(Text)
		if err != nil {
			t.Fatal(err)
		}
		if begun {
			if _, err := w.Write([]byte("a")); err != nil {
				t.Fatal(err)
			}
		}
		for _, data := range []string{strings.Repeat("x", 2000), "", "y"} {
			if n, err := w.Write([]byte(data)); n != 0 || !errors.Is(err, ErrOutboxFull) {
				t.Fatal(n, err)
			}
		}
		if err := w.Close(); !errors.Is(err, ErrOutboxFull) {
			t.Fatal(err)
		}
		if begun {
			if got := receive(t, j.calls, "Error"); !strings.HasPrefix(got, "error engine: message of 2000 bytes") {
				t.Fatal(got)
			}
			j.want(t, "close 1006")
			continue
		}
		if err := c.SendText("next"); err != nil {
			t.Fatal(err)
		}
		p.want("text next")
	}
}

// The end of a message that has begun is not refused for the memory budget, the beginning is.
func TestR9MemoryBudgetLetsAMessageEnd(t *testing.T) {
	t.Parallel()
	w := newBench(t, Handler{})
	w.l.e.budget = newBudget(minBudget, 1)
	c := w.upgraded(5)
	w.l.sys = deaf{w.k}
	part := func(more bool) error { return c.SendWith(Text, []byte("a"), SendOptions{More: more}) }
	if err := part(true); err != nil || !c.is(flagBlocked) {
		t.Fatal(err)
	}
	w.l.bytes.Hold(minBudget / 16 * 15)
	if err := errors.Join(part(true), part(false)); err != nil {
		t.Error(err)
	}
	if err := part(true); !errors.Is(err, ErrMemory) {
		t.Error(err)
	}
}
