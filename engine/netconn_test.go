//go:build unix

package engine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// streams are both ends of a connection as net.Conns.
func streams(t *testing.T, o ServerOptions) (server, client net.Conn, c *Conn) {
	t.Helper()
	j, conns := newJournal(), make(chan net.Conn, 2)
	o.Handler = j.handler()
	note := o.Handler.Open
	o.Handler.Open = func(c *Conn, r *Request) {
		conns <- c.NetConn()
		note(c, r)
	}
	s := serve(t, o)
	server0, client0, _ := j.dialled(t, s, Dialer{})
	client = client0.NetConn()
	return receive(t, conns, "the stream"), client, server0
}

func TestNetConnCarriesBytes(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		server, client, _ := streams(t, ServerOptions{Config: cfg})
		data := make([]byte, 12<<20)
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		echo := make(chan error, 2)
		go func() {
			_, err := io.Copy(server, server)
			echo <- errors.Join(err, server.Close())
		}()
		go func() {
			n, err := client.Write(data)
			if n != len(data) {
				err = errors.Join(err, io.ErrShortWrite)
			}
			echo <- err
		}()
		got := make([]byte, len(data))
		if _, err := io.ReadFull(client, got); err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
			t.Fatal("the echo differs", err)
		}
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := receive(t, echo, "the end"); err != nil {
				t.Error(err)
			}
		}
		if server.RemoteAddr().String() != client.LocalAddr().String() {
			t.Error(server.RemoteAddr(), client.LocalAddr())
		}
		if _, err := client.Read(got); !errors.Is(err, net.ErrClosed) {
			t.Error("Read after Close:", err)
		}
		if _, err := client.Write(got); !errors.Is(err, net.ErrClosed) {
			t.Error("Write after Close:", err)
		}
		if err := client.Close(); !errors.Is(err, net.ErrClosed) {
			t.Error("Close after Close:", err)
		}
	})
}

// A reader that does not read makes the other end's writes block, and neither end
// keeps more than its bound.
func TestNetConnPushesBackBothWays(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		server, client, c := streams(t, ServerOptions{Config: cfg, MaxOutbox: 256 << 10})
		var written atomic.Int64
		done := make(chan error, 1)
		part := make([]byte, 32<<10)
		const parts = 1000
		go func() {
			for range parts {
				if _, err := server.Write(part); err != nil {
					done <- err
					return
				}
				written.Add(int64(len(part)))
			}
			done <- server.Close()
		}()
		waits := func() bool {
			n := written.Load()
			time.Sleep(50 * time.Millisecond) // what holds below holds for one that is only slow, too
			return n > 0 && n == written.Load()
		}
		eventually(t, "the writer to wait", waits)
		if b := c.BufferedAmount(); b > 256<<10 {
			t.Errorf("%d bytes are unsent", b)
		}
		cl := client.(*netConn)
		cl.mu.Lock()
		unread := len(cl.unread)
		cl.mu.Unlock()
		if unread > netConnBuffer+128<<10 {
			t.Errorf("%d bytes are unread", unread)
		}
		n, err := io.Copy(io.Discard, client)
		if err != nil || n != parts*int64(len(part)) {
			t.Errorf("read %d bytes, %v", n, err)
		}
		if err := receive(t, done, "the writer"); err != nil {
			t.Error(err)
		}
	})
}

func TestNetConnDeadlines(t *testing.T) {
	t.Parallel()
	server, client, _ := streams(t, ServerOptions{MaxOutbox: 64 << 10, SendBuffer: 16 << 10, RecvBuffer: 16 << 10})
	b := make([]byte, 32<<10)
	if err := client.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var ne net.Error
	if _, err := client.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatal(err)
	}
	if err := server.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil {
		_, err = server.Write(b)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	// A deadline that is moved while somebody waits counts, and one that is taken
	// away lets go on.
	if err := client.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(b); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		for {
			if _, err := server.Read(make([]byte, 1)); err != nil {
				got <- err
				return
			}
		}
	}()
	if err := server.SetDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, got, "Read"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestNetConnEnds(t *testing.T) {
	t.Parallel()
	j, conns := newJournal(), make(chan net.Conn, 1)
	h := j.handler()
	h.Open = func(c *Conn, _ *Request) { conns <- c.NetConn(); j.conns <- c }
	s := serve(t, ServerOptions{Handler: h, MaxPayload: 1000})
	for _, tc := range []struct {
		name string
		end  func(p *peer, c *Conn)
		want func(err error) bool
		call []string
	}{
		{"normal", func(p *peer, _ *Conn) { p.write(closeOf(1000, "")) }, func(err error) bool { return err == io.EOF }, []string{"close 1000"}},
		{"going away", func(p *peer, _ *Conn) { p.write(closeOf(1001, "")) }, func(err error) bool { return err == io.EOF }, []string{"close 1001"}},
		{"empty", func(p *peer, _ *Conn) { p.write(closeOf(CodeNoStatus, "")) }, func(err error) bool { return err == io.EOF }, []string{"close 1005"}},
		{"a code of the peer's", func(p *peer, _ *Conn) { p.write(closeOf(4000, "why")) }, func(err error) bool {
			var ce *CloseError
			return errors.As(err, &ce) && ce.Code == 4000 && ce.Reason == "why" && !errors.Is(err, io.ErrUnexpectedEOF)
		}, []string{"close 4000 why"}},
		{"no close frame", func(p *peer, _ *Conn) { p.conn.Close() }, func(err error) bool {
			var ce *CloseError
			return errors.As(err, &ce) && ce.Code == 1006 && errors.Is(err, io.ErrUnexpectedEOF)
		}, []string{"close 1006"}},
		{"terminated", func(_ *peer, c *Conn) { c.Terminate() }, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }, []string{"close 1006"}},
		{"a violation", func(p *peer, _ *Conn) { p.write(frameOf(3, "")) }, func(err error) bool { return short(err) == "WS_ERR_INVALID_OPCODE" },
			[]string{"error WS_ERR_INVALID_OPCODE", "close 1006"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := join(t, s)
			c, stream := j.conn(t), receive(t, conns, "the stream")
			p.text("last")
			tc0 := make([]byte, 4)
			if _, err := io.ReadFull(stream, tc0); err != nil || string(tc0) != "last" {
				t.Fatal(err)
			}
			tc.end(p, c)
			p.conn.CloseWrite()
			if _, err := stream.Read(tc0); !tc.want(err) {
				t.Fatalf("%T %v", err, err)
			}
			if _, err := stream.Write([]byte("x")); !errors.Is(err, ErrNotOpen) {
				t.Fatal(err)
			}
			j.want(t, tc.call...)
		})
	}
}

// What came before the end is read before the end is told; Close is the handshake
// with an empty frame.
func TestNetConnCloseIsTheHandshake(t *testing.T) {
	t.Parallel()
	j, conns := newJournal(), make(chan net.Conn, 1)
	h := j.handler()
	h.Open = func(c *Conn, _ *Request) { conns <- c.NetConn() }
	s := serve(t, ServerOptions{Handler: h})
	p := join(t, s)
	stream := receive(t, conns, "the stream")
	if _, err := stream.Write(bytes.Repeat([]byte("x"), 10)); err != nil {
		t.Fatal(err)
	}
	p.write(bytes.Repeat(frameOf(Binary, string(make([]byte, 60<<10))), 4)) // paused with some of it
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	p.want("binary xxxxxxxxxx", "close")
	p.write(closeOf(CodeNoStatus, ""))
	p.end()
	p.fin()
	j.want(t, "close 1005")
}

// A stream's writer that had to wait for the end of a message in fragments goes on
// behind it, also when the kernel then takes everything at once, and whatever happens
// on the connection meanwhile.
func TestNetConnGoesOnBehindAMessageInFragments(t *testing.T) {
	t.Parallel()
	const all, parts = 40 << 10, 4 // the high-water mark is at 32
	for name, x := range map[string]struct{ first, fragments int }{
		"above the mark":          {all, 0},
		"above the mark together": {20 << 10, 20 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			dispatches(t, func(t *testing.T, cfg Config) {
				server, client, c := streams(t, ServerOptions{Config: cfg, MaxOutbox: 64 << 10})
				w, err := c.NextWriter(Binary)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write([]byte("first")); err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() {
					_, err := server.Write(make([]byte, x.first))
					for range parts {
						if err == nil {
							_, err = server.Write(make([]byte, all))
						}
					}
					done <- errors.Join(err, server.Close())
				}()
				eventually(t, "the stream to wait", func() bool { return c.BufferedAmount() >= x.first*3/4 })
				if _, err := client.Write([]byte("a turn")); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(server, make([]byte, 6)); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(make([]byte, x.fragments)); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				want := int64(5 + x.first + x.fragments + parts*all)
				if n, err := io.Copy(io.Discard, client); err != nil || n != want {
					t.Errorf("read %d of %d bytes, %v", n, want, err)
				}
				if err := receive(t, done, "the writer"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
