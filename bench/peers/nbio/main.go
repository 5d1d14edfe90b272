// Command nbio echoes with github.com/lesismal/nbio in its non-blocking mode:
// pollers that read, and its pool of goroutines that calls the handler. It runs
// with GOMAXPROCS of 2 at least, which on one core is best for it: its poller
// waits in a system call that keeps the runtime's only P until sysmon takes it
// back, and the core stands idle meanwhile.
package main

import (
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/lesismal/llib/std/crypto/tls" // its own, which does not block
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"github.com/roost-ws/roost/bench/peers/contract"
)

func main() {
	o := contract.Parse()
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	logging.SetLevel(logging.LevelError)
	var room contract.Room[*websocket.Conn]
	u := websocket.NewUpgrader()
	u.KeepaliveTime = 0 // no read deadline: the others have none
	u.MessageLengthLimit = contract.MaxMessage
	u.CheckOrigin = func(*http.Request) bool { return true }
	u.EnableCompression(o.Deflate)
	u.OnMessage(func(c *websocket.Conn, op websocket.MessageType, msg []byte) {
		if o.Broadcast {
			room.Each(func(to *websocket.Conn) error { return to.WriteMessage(op, msg) })
		} else {
			_ = c.WriteMessage(op, msg)
		}
	})
	if o.Broadcast {
		u.OnOpen(room.Join)
		u.OnClose(func(c *websocket.Conn, _ error) { room.Leave(c) })
	}
	c := nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{o.Addr},
		ReleaseWebsocketPayload: true,
		// By default it answers in fragments of 32 KiB, and the contract wants one frame.
		MaxWebsocketFramePayloadSize: contract.MaxMessage,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = u.Upgrade(w, r, nil)
		}),
	}
	if o.TLS() {
		cert, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			log.Fatal(err)
		}
		c.Addrs, c.AddrsTLS = nil, c.Addrs
		c.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	e := nbhttp.NewEngine(c)
	if err := e.Start(); err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	<-stop
	e.Stop()
}
