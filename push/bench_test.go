package push_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// BenchmarkPublish is an event's way from the call of Publish to the topic, on a
// memory bus: checked, encoded once, and kept or not.
func BenchmarkPublish(b *testing.B) {
	for _, one := range []struct{ name, channel string }{{"nobody", "empty"}, {"one", "plain"}, {"history", "kept-a"}} {
		b.Run(one.name, func(b *testing.B) {
			r := start(b, push.Options{App: withHistory(100, time.Minute)})
			if one.name != "nobody" {
				p := r.subscriber(one.channel)
				go func() {
					for { // until the benchmark closes it
						if _, _, err := p.conn.Read(context.Background()); err != nil {
							return
						}
					}
				}()
			}
			data := fmt.Sprintf(`{"text":%q}`, make([]byte, 20))
			b.ReportAllocs()
			for b.Loop() {
				if err := r.push.Publish(context.Background(), push.Event{Channels: []string{one.channel}, Name: "e", Data: data}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHistoryAdd keeps events of a channel that is full.
func BenchmarkHistoryAdd(b *testing.B) {
	h := push.NewHistories()
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		h.Add(&push.Event{App: "1", Channels: []string{"c"}, Name: "e", Keep: push.Retention{Count: 100, Age: time.Hour}}, now, func() {})
	}
}

// BenchmarkSubscribe is a subscription and its end over a socket, with the client's
// half and the confirmation.
func BenchmarkSubscribe(b *testing.B) {
	r := start(b, push.Options{Limits: push.Limits{MessageRate: 1e9, MessageBurst: 1e6}})
	p := r.connect()
	b.ReportAllocs()
	for b.Loop() {
		p.send(protocol.EventSubscribe, map[string]string{"channel": "c"})
		p.expect(protocol.EventSubscribed)
		p.send(protocol.EventUnsubscribe, map[string]string{"channel": "c"})
	}
}
