// Command gobwas echoes with github.com/gobwas/ws as its README does: net/http's
// upgrade, then a goroutine a connection with the wsutil helpers.
package main

import (
	"log"
	"net"
	"net/http"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/roost-ws/roost/bench/peers/contract"
)

func main() {
	o := contract.Parse()
	if o.Deflate {
		log.Fatal("-deflate: its helpers for messages, which this server is made of, have no extensions")
	}
	wsutil.SetMaxMessageSize(contract.MaxMessage)
	var room contract.Room[net.Conn]
	log.Fatal(o.Serve(func(w http.ResponseWriter, r *http.Request) {
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		if o.Broadcast {
			room.Join(c)
		}
		go func() {
			defer c.Close()
			if o.Broadcast {
				defer room.Leave(c)
				cast(c, &room)
			} else {
				echo(c)
			}
		}()
	}))
}

func echo(c net.Conn) {
	for {
		msg, op, err := wsutil.ReadClientData(c)
		if err != nil || wsutil.WriteServerMessage(c, op, msg) != nil {
			return
		}
	}
}

func cast(c net.Conn, room *contract.Room[net.Conn]) {
	for {
		msg, op, err := wsutil.ReadClientData(c)
		if err != nil {
			return
		}
		frame, err := ws.CompileFrame(ws.NewFrame(op, true, msg))
		if err != nil {
			return
		}
		room.Each(func(to net.Conn) error {
			_, err := to.Write(frame)
			return err
		})
	}
}
