// Command gorilla echoes with github.com/gorilla/websocket on net/http: a
// goroutine a connection, a prepared message for a broadcast.
package main

import (
	"log"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/roost-ws/roost/bench/peers/contract"
)

func main() {
	o := contract.Parse()
	var room contract.Room[*websocket.Conn]
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, EnableCompression: o.Deflate}
	log.Fatal(o.Serve(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		c.SetReadLimit(contract.MaxMessage)
		if o.Broadcast {
			room.Join(c)
			defer room.Leave(c)
		}
		for {
			op, msg, err := c.ReadMessage()
			if err != nil {
				return
			}
			if !o.Broadcast {
				if c.WriteMessage(op, msg) != nil {
					return
				}
				continue
			}
			p, err := websocket.NewPreparedMessage(op, msg)
			if err != nil {
				return
			}
			room.Each(func(to *websocket.Conn) error { return to.WritePreparedMessage(p) })
		}
	}))
}
