// Command gws echoes with github.com/lxzan/gws and its own server: a goroutine
// a connection, its Broadcaster for a broadcast.
package main

import (
	"log"
	"net"

	"github.com/lxzan/gws"

	"github.com/roost-ws/roost/bench/peers/contract"
)

type handler struct {
	gws.BuiltinEventHandler
	broadcast bool
	room      contract.Room[*gws.Conn]
}

func (h *handler) OnOpen(c *gws.Conn) {
	if h.broadcast {
		h.room.Join(c)
	}
}

func (h *handler) OnClose(c *gws.Conn, _ error) {
	if h.broadcast {
		h.room.Leave(c)
	}
}

func (h *handler) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (h *handler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if !h.broadcast {
		_ = c.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	h.room.Each(b.Broadcast)
}

func main() {
	o := contract.Parse()
	s := gws.NewServer(&handler{broadcast: o.Broadcast}, &gws.ServerOption{
		CheckUtf8Enabled:   true,
		ReadMaxPayloadSize: contract.MaxMessage,
		PermessageDeflate:  gws.PermessageDeflate{Enabled: o.Deflate, Threshold: 1},
	})
	s.OnError = func(_ net.Conn, _ error) {}
	if o.TLS() {
		log.Fatal(s.RunTLS(o.Addr, o.Cert, o.Key))
	}
	log.Fatal(s.Run(o.Addr))
}
