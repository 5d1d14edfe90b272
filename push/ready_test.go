package push_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push"
)

// A balancer is told before clients are: while upgrades are refused for want of
// memory, the server is not ready, and its metrics can still be read.
func TestAServerWithoutMemoryForClientsIsNotReady(t *testing.T) {
	a := app
	a.Channels = []push.Pattern{{Match: "*", Slow: push.Slow{Policy: "drop_newest"}}}
	r := startOn(t, engine.Config{MemoryBudget: 4 << 20, Loops: 1}, push.Options{App: a})
	var sleepers []*peer
	e := push.Event{Name: "e", Data: strings.Repeat("x", 8<<10)}
	for i := range 6 { // 1 MiB each may wait, and what is published to one channel waits once
		e.Channels = append(e.Channels, fmt.Sprint("a", i))
		sleepers = append(sleepers, r.subscriber(e.Channels[i]))
	}
	ready := func() (int, string) { return r.do(r.plain("GET", "/readyz", "")) }
	if status, text := ready(); status != http.StatusOK {
		t.Fatalf("at first: %d %s", status, text)
	}
	publish := func(n int) {
		for range n {
			if err := r.push.Publish(context.Background(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "full sockets", func() bool {
		publish(10)
		used, err := strconv.ParseFloat(r.metric("roost_engine_memory_used_bytes"), 64)
		return err == nil && used > 1<<20
	})
	eventually(t, "want of memory", func() bool {
		publish(1) // more at once would have the heaviest closed
		status, text := ready()
		return status == http.StatusServiceUnavailable && strings.HasPrefix(text, "memory: ")
	})
	for _, p := range sleepers {
		p.conn.CloseNow()
	}
	eventually(t, "memory again", func() bool { status, _ := ready(); return status == http.StatusOK })
}
