// Command push subscribes to a channel and publishes to it.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/roost-ws/roost/push/client"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c, err := client.New(client.Options{
		URL: "http://127.0.0.1:8080", AppID: "1", Key: "demo-key", Secret: "demo-secret",
	})
	if err != nil {
		log.Fatal(err)
	}
	err = c.Subscribe(ctx, client.Subscription{
		Channels: []string{"news"},
		Subscribed: func(channel string) {
			e := client.Event{Channels: []string{channel}, Name: "story", Data: `{"title":"hello from Go"}`}
			if err := c.Publish(ctx, e); err != nil {
				log.Fatal(err)
			}
		},
		Message: func(m client.Message) {
			fmt.Println(m.Channel, m.Event, m.Data)
			stop() // Subscribe would go on, over lost connections too
		},
	})
	if ctx.Err() == nil {
		log.Fatal(err)
	}
}
