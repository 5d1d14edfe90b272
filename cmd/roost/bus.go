package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/natsbus"
	"github.com/spf13/pflag"
)

// busSettings choose what joins the servers of a fleet.
type busSettings struct {
	bus, data string
	sync      bool
	nats      natsbus.Options
}

func (b *busSettings) register(f *pflag.FlagSet) {
	f.StringVar(&b.bus, "bus", "memory", "what joins servers and keeps history: memory, embedded (NATS in this process) or nats://`host:port`,…")
	f.StringVar(&b.data, "data", "", "`folder` for the history of --bus embedded")
	f.BoolVar(&b.sync, "data-sync", false, "have --bus embedded fsync each event with history before it is acknowledged")
	count(f, &b.nats.Count, "bus-history", 1000, 1, 1<<20, "most events of one channel that NATS keeps; counts when its stream is made")
	duration(f, &b.nats.Age, "bus-history-age", 24*time.Hour, 365*24*time.Hour, "how long NATS keeps events; counts when its stream is made")
	count(f, &b.nats.Replicas, "bus-replicas", 1, 1, 5, "copies of the history in a NATS cluster; counts when its stream is made")
}

// joinTime is how long reading the history may take at the start.
const joinTime = 2 * time.Minute

// closingBus ends with the server.
type closingBus interface {
	push.Bus
	io.Closer
}

// memoryBus has nothing to close.
type memoryBus struct{ *push.MemoryBus }

func (memoryBus) Close() error { return nil }

func (b *busSettings) open(log *slog.Logger) (closingBus, error) {
	b.nats.Logger = log
	switch {
	case b.bus == "memory":
		return memoryBus{push.NewMemoryBus()}, nil
	case b.bus == "embedded":
		if b.data == "" {
			return nil, usagef("--bus embedded needs --data, a folder for the history")
		}
		e, err := natsbus.StartEmbedded(b.data, b.sync)
		if err != nil {
			return nil, err
		}
		b.nats.Embedded = e
	case strings.HasPrefix(b.bus, "nats://"), strings.HasPrefix(b.bus, "tls://"):
		b.nats.URL = b.bus
	default:
		return nil, usageError{fmt.Errorf("--bus %q is unknown, give memory, embedded or nats://host:port", b.bus)}
	}
	ctx, cancel := context.WithTimeout(context.Background(), joinTime)
	defer cancel()
	return natsbus.Connect(ctx, b.nats)
}
