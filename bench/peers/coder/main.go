// Command coder echoes with github.com/coder/websocket on net/http: a goroutine
// a connection. It has no prepared message, so a broadcast is a Write for each.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/coder/websocket"

	"github.com/roost-ws/roost/bench/peers/contract"
)

func main() {
	o := contract.Parse()
	ctx := context.Background()
	var room contract.Room[*websocket.Conn]
	mode := websocket.CompressionDisabled
	if o.Deflate {
		mode = websocket.CompressionNoContextTakeover
	}
	log.Fatal(o.Serve(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(contract.MaxMessage)
		if o.Broadcast {
			room.Join(c)
			defer room.Leave(c)
		}
		for {
			op, msg, err := c.Read(ctx)
			if err != nil {
				return
			}
			if o.Broadcast {
				room.Each(func(to *websocket.Conn) error { return to.Write(ctx, op, msg) })
			} else if c.Write(ctx, op, msg) != nil {
				return
			}
		}
	}))
}
