package engine

import (
	"context"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestSmoke(t *testing.T) {
	for _, d := range []Dispatch{DispatchPool, DispatchLoop} {
		s, err := NewServer(ServerOptions{Addr: "127.0.0.1:0", Config: Config{Dispatch: d}, Handler: Handler{
			Message: func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) },
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c, _, err := websocket.Dial(ctx, "ws://"+s.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadLimit(-1)
		for _, n := range []int{0, 1, 125, 126, 70000, 1 << 20, 16 << 20} {
			if err := c.Write(ctx, websocket.MessageBinary, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			_, p, err := c.Read(ctx)
			if err != nil || len(p) != n {
				t.Fatal(n, len(p), err)
			}
		}
		if err := c.Close(4001, "bye"); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", s.e.Stats())
	}
}
