package push_test

import (
	"context"
	"fmt"
	"log"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push"
)

// A program that embeds the push server: one engine, one port for everything.
func Example() {
	server, err := push.New(push.Options{App: push.RandomApp()})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	e, err := engine.New(engine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	sockets, err := engine.NewServer(server.Options(engine.ServerOptions{Engine: e, Addr: "127.0.0.1:0"}))
	if err != nil {
		log.Fatal(err)
	}
	defer sockets.Close()

	err = server.Publish(context.Background(), push.Event{Channels: []string{"news"}, Name: "story", Data: `{"title":"Hello"}`})
	fmt.Println(err)
	// Output: <nil>
}
