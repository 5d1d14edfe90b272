// Command echo is the smallest server on the engine.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/roost-ws/roost/engine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	s, err := engine.NewServer(engine.ServerOptions{
		Addr: "127.0.0.1:8081",
		Handler: engine.Handler{
			Message: func(c *engine.Conn, m engine.Message) {
				_ = c.Send(m.Opcode(), m.Data) // fails once c closes, and Close is told
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("echo on ws://%s/", s.Addr())

	<-ctx.Done()
	if err := s.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
