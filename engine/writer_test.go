//go:build unix

package engine

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// frame reads one frame with its header.
func (p *peer) frame() (h codec.Header, payload []byte) {
	p.t.Helper()
	var b []byte
	for {
		h, n, err := codec.ParseHeader(b)
		if err != nil {
			p.t.Fatal(err)
		}
		if n > 0 {
			payload = make([]byte, h.Length)
			if _, err = io.ReadFull(p.r, payload); err != nil {
				p.t.Fatal(err)
			}
			return h, payload
		}
		c, err := p.r.ReadByte()
		if err != nil {
			p.t.Fatal(err)
		}
		b = append(b, c)
	}
}

// wire is the next n bytes.
func (p *peer) wire(n int) string {
	p.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(p.r, b); err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// Each Write is a fragment; what others send or publish comes after the last one,
// control frames do not wait.
func TestWriterKeepsMessagesApart(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		topic := NewTopic(s.Engine())
		topic.Subscribe(c)
		w, err := c.NextWriter(Text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.NextWriter(Text); !errors.Is(err, ErrWriting) {
			t.Fatal(err)
		}
		sent := make(chan error, 1)
		for _, err := range []error{
			c.Send(Binary, []byte("b")), // waits already
			second(io.WriteString(w, "hel")),
			c.SendWith(Text, []byte("c"), SendOptions{Done: func(err error) { sent <- err }}),
			c.Ping([]byte("p")),
			second(w.Write(nil)), // is no fragment
			second(io.WriteString(w, "lo")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		topic.Publish(Text, []byte("t"))
		eventually(t, "the publication to wait", func() bool { return c.BufferedAmount() == 2+len("\x81\x01t") })
		if got := p.wire(12); got != "\x01\x03hel\x89\x01p\x00\x02lo" {
			t.Fatalf("%q", got)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := p.wire(2); got != "\x80\x00" {
			t.Fatalf("the last fragment: %q", got)
		}
		p.want("binary b", "text c", "text t")
		if err := receive(t, sent, "Done"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) || w.Close() == nil {
			t.Fatal("a closed writer still writes:", err)
		}
		if c.BufferedAmount() != 0 {
			t.Fatal(c.BufferedAmount())
		}
		if err := c.SendText("after"); err != nil {
			t.Fatal(err)
		}
		p.want("text after")
	})
}

// A writer that is closed without a Write sends an empty message.
func TestWriterOfNothing(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler()})
	p, c := j.opened(t, s)
	w, err := c.NextWriter(Binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p.want("binary")
}

// Published messages never come between the fragments of SendWith either.
func TestPublishedMessagesWaitForTheLastFragment(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		topic := NewTopic(s.Engine())
		topic.Subscribe(c)
		if err := c.SendWith(Text, []byte("a"), SendOptions{More: true}); err != nil {
			t.Fatal(err)
		}
		topic.Publish(Text, []byte("1"))
		topic.Publish(Text, []byte("2"))
		eventually(t, "both to wait", func() bool { return c.BufferedAmount() == 6 })
		if err := c.SendText("b"); err != nil { // the last fragment
			t.Fatal(err)
		}
		if got := p.wire(6); got != "\x01\x01a\x80\x01b" {
			t.Fatalf("%q", got)
		}
		p.want("text 1", "text 2")
	})
}

// A client that is a member gets frames of its own: its server wants them masked.
func TestPublishedMessagesOfAClientAreMasked(t *testing.T) {
	t.Parallel()
	for _, z := range []*DeflateOptions{nil, {Threshold: -1}} {
		j := newJournal()
		s := serve(t, ServerOptions{Handler: j.handler(), PerMessageDeflate: z})
		_, client, _ := j.dialled(t, s, Dialer{Options: ConnOptions{PerMessageDeflate: z}})
		topic := NewTopic(s.Engine())
		topic.Subscribe(client)
		topic.Publish(Text, []byte("1"))
		j.want(t, "text 1")
		w, err := client.NextWriter(Text)
		if err != nil {
			t.Fatal(err)
		}
		topic.Publish(Text, []byte("2"))
		eventually(t, "the publication to wait", func() bool { return client.BufferedAmount() == 7 }) // a mask takes four
		if err := errors.Join(second(io.WriteString(w, "w")), w.Close()); err != nil {
			t.Fatal(err)
		}
		j.want(t, "text w", "text 2")
	}
}

// What waits is given up with the connection, and its senders are told.
func TestWriterInterruptedByClose(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		w, err := c.NextWriter(Text)
		if err != nil {
			t.Fatal(err)
		}
		told := make(chan error, 1)
		for _, err := range []error{
			second(io.WriteString(w, "a")),
			c.SendWith(Text, []byte("never"), SendOptions{Done: func(err error) { told <- err }}),
			c.Close(1000, ""),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.WriteString(w, "b"); !errors.Is(err, ErrNotOpen) {
			t.Fatal(err)
		}
		if got := p.wire(7); got != "\x01\x01a\x88\x02\x03\xe8" {
			t.Fatalf("%q", got)
		}
		p.write(closeOf(1000, ""))
		p.fin()
		if err := receive(t, told, "Done"); !errors.Is(err, ErrUnsent) {
			t.Fatal(err)
		}
		j.want(t, "close 1000")
		if err := w.Close(); !errors.Is(err, ErrNotOpen) {
			t.Fatal(err)
		}
	})
}

// What waits counts against MaxOutbox.
func TestWriterLeftOpenIsBounded(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), MaxOutbox: 1000, SlowPolicy: SlowDrop})
	p, c := j.opened(t, s)
	if _, err := c.NextWriter(Text); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(Binary, make([]byte, 900)); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(Binary, make([]byte, 900)); !errors.Is(err, ErrOutboxFull) {
		t.Fatal(err)
	}
	p.conn.Close()
	j.want(t, "close 1006")
}

// With permessage-deflate the fragments are one stream, and the messages behind it
// find the windows of both ends in step.
func TestWriterWithDeflate(t *testing.T) {
	t.Parallel()
	for _, takeover := range []bool{true, false} {
		j := newJournal()
		options := &DeflateOptions{Threshold: -1}
		if !takeover {
			options.ServerNoContextTakeover = codec.True
		}
		s := serve(t, ServerOptions{Handler: j.handler(), PerMessageDeflate: options})
		topic := NewTopic(s.Engine())
		c, _, d := j.dialled(t, s, Dialer{Options: ConnOptions{PerMessageDeflate: &DeflateOptions{}}})
		topic.Subscribe(c)
		text := strings.Repeat("all work and no play ", 100)
		var want []string
		for i := range 3 {
			w, err := c.NextWriter(Text)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.SendText("waits " + text); err != nil {
				t.Fatal(err)
			}
			topic.Publish(Text, []byte("published "+text))
			eventually(t, "the publication to wait", func() bool {
				c.mu.Lock()
				defer c.mu.Unlock()
				return c.ext.after != nil && len(c.ext.after.messages) == 2
			})
			for part := range slices.Chunk([]byte(text), 500) {
				if _, err := w.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := c.SendText("behind " + text); err != nil {
				t.Fatal(i, err)
			}
			want = append(want, "text "+text, "text waits "+text, "text published "+text, "text behind "+text)
		}
		d.want(t, "open")
		for _, w := range want {
			if got := receive(t, d.calls, "a message"); got != strings.TrimSpace(w) {
				t.Fatalf("%.40q, want %.40q", got, w)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }
