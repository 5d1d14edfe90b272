package natsbus_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/natsbus"
)

// Publications by many publishers at once on the embedded bus, until the last was
// delivered here: a second's worth of them is what a server can take.
func BenchmarkPublishEmbedded(b *testing.B) {
	for name, keep := range map[string]push.Retention{"plain": {}, "history": keep} {
		b.Run(name, func(b *testing.B) {
			e, err := natsbus.StartEmbedded(b.TempDir(), false)
			if err != nil {
				b.Fatal(err)
			}
			bus, err := natsbus.Connect(b.Context(), natsbus.Options{Embedded: e, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer bus.Close()
			var got atomic.Int64
			all := make(chan struct{})
			stop, err := bus.Subscribe(func(*push.Event) {
				if got.Add(1) == int64(b.N) {
					close(all)
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			defer stop()
			if heard := bus.Join("1", "c"); heard != nil {
				<-heard
			}
			data := strings.Repeat("x", 128)
			b.ReportAllocs()
			b.SetParallelism(64)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := bus.Publish(context.Background(), &push.Event{App: "1", Channels: []string{"c"}, Name: "e", Data: data, Keep: keep}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			<-all
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
