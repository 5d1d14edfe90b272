package client_test

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/roost-ws/roost/push/client"
)

// Connections are cut at random while events are published without a pause:
// every one comes, once and in order.
func TestResumingLosesAndRepeatsNothing(t *testing.T) {
	server, p, _ := serve(t, "127.0.0.1:0")
	base, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	through := cutter(t, base.Host)
	c := dial(t, "http://"+through.addr, func(o *client.Options) { o.MinBackoff = time.Millisecond })
	const events = 3000
	ahead := make(chan struct{}, 500) // events on their way: what a replay may fill of the outbox has room for twice as many
	got, subscribed := make(chan int, events+1), make(chan string, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- c.Subscribe(ctx, client.Subscription{
			Channels:   []string{"kept-a"},
			Subscribed: func(channel string) { subscribed <- channel },
			Missed:     func(channel string) { t.Errorf("%s could not be recovered", channel) },
			Message: func(m client.Message) {
				n, err := strconv.Atoi(m.Data)
				if err != nil {
					t.Error(err)
				}
				got <- n
			},
		})
	}()
	next(t, "subscription", subscribed)
	go func() {
		for i := range events {
			select {
			case ahead <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if err := p.Publish(ctx, pushEvent("kept-a", fmt.Sprint(i))); err != nil {
				t.Error(err)
				return
			}
			if i%100 == 99 {
				through.cut()
				time.Sleep(5 * time.Millisecond) // for the client to come back amid the events
			}
		}
	}()
	for want := range events {
		if n := next(t, "event", got); n != want {
			t.Fatalf("got %d, want %d", n, want)
		}
		<-ahead
	}
	if n := through.cuts.Load(); n < 5 {
		t.Errorf("only %d connections were cut", n)
	}
	cancel()
	next(t, "end", done)
	if len(got) > 0 {
		t.Errorf("%d more than was published", len(got))
	}
}

func TestWhatCanNotBeRecoveredIsTold(t *testing.T) {
	server, p, _ := serve(t, "127.0.0.1:0")
	c := dial(t, server, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	missed, subscribed, messages := make(chan string, 10), make(chan string, 10), make(chan client.Message, 10)
	done := make(chan error, 1)
	go func() {
		done <- c.Subscribe(ctx, client.Subscription{
			Channels: []string{"kept-a"}, Positions: map[string]client.Position{"kept-a": {Epoch: "of another life", Seq: 7}},
			Message:    func(m client.Message) { messages <- m },
			Missed:     func(channel string) { missed <- channel },
			Subscribed: func(channel string) { subscribed <- channel },
		})
	}()
	next(t, "subscription", subscribed)
	if got := next(t, "missed", missed); got != "kept-a" {
		t.Errorf("missed %s", got)
	}
	if err := p.Publish(ctx, pushEvent("kept-a", "x")); err != nil {
		t.Fatal(err)
	}
	if m := next(t, "message", messages); m.Position == nil || m.Position.Seq != 1 {
		t.Errorf("%+v", m)
	}
	cancel()
	next(t, "end", done)
}
