//go:build unix

package engine

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

// The same work with clients that others wrote.

func TestCoderWebsocket(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		ctx := soon(t)
		c, _, err := websocket.Dial(ctx, "ws://"+s.Addr().String()+"/a?b", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadLimit(-1)
		for _, n := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
			for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
				want := []byte(strings.Repeat("x", n))
				if err := c.Write(ctx, kind, want); err != nil {
					t.Fatal(err)
				}
				got, p, err := c.Read(ctx)
				if err != nil || got != kind || !bytes.Equal(p, want) {
					t.Fatal(n, got, len(p), err)
				}
			}
		}
		pinging, cancel := context.WithCancel(ctx)
		reading := c.CloseRead(pinging)
		if err := c.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		_ = reading
		cancel()
		j.want(t, "open")
		if got := receive(t, j.calls, "Ping"); !strings.HasPrefix(got, "ping ") {
			t.Fatal(got)
		}
		_ = c.CloseNow()
	})
}

func TestCoderWebsocketCloses(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		c, _, err := websocket.Dial(soon(t), "ws://"+s.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(4001, "bye"); err != nil {
			t.Fatal(err)
		}
		j.want(t, "open", "close 4001 bye")
	})
}

func TestGorillaWebsocket(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		c, _, err := gorilla.DefaultDialer.DialContext(soon(t), "ws://"+s.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for i := range 200 {
			want := bytes.Repeat([]byte{byte(i)}, i*i)
			w, err := c.NextWriter(gorilla.BinaryMessage) // several frames for the long ones
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(want); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			kind, got, err := c.ReadMessage()
			if err != nil || kind != gorilla.BinaryMessage || !bytes.Equal(got, want) {
				t.Fatal(i, kind, len(got), err)
			}
		}
		j.want(t, "open")
		conn := j.conn(t)
		if err := conn.Close(1000, "done"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.ReadMessage(); !gorilla.IsCloseError(err, 1000) {
			t.Fatal(err)
		}
		c.Close()
		j.want(t, "close 1000")
	})
}
