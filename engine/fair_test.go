//go:build unix

package engine

import (
	"bytes"
	"sync"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// A read may bring thousands of small messages. A turn ends long before, so that a
// connection which came in between has its message handled before the last of them.
func TestR2ManySmallMessagesLeaveTurnsToOthers(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		const n = 10_000
		cfg.Workers = 1 // else the other's message has a worker of its own
		calls := make(chan string, n+1)
		began, resume := make(chan bool), make(chan bool)
		var first sync.Once
		s := serve(t, ServerOptions{Config: cfg, Handler: Handler{Message: func(c *Conn, m Message) {
			first.Do(func() {
				began <- true
				<-resume
			})
			calls <- string(m.Data)
		}}})
		other, busy := join(t, s), join(t, s)
		busy.write(bytes.Repeat(frameOf(codec.Text, ""), n))
		receive(t, began, "the first message")
		other.write(frameOf(codec.Text, "me too"))
		if cfg.Dispatch == DispatchPool {
			eventually(t, "the other's event", func() bool { return s.e.Stats().Queued > 0 })
		}
		close(resume)
		before := 0
		for receive(t, calls, "the other's message") == "" {
			before++
		}
		if before > n/2 {
			t.Errorf("%d of %d empty messages came before the other's", before, n)
		}
		for range n - before {
			receive(t, calls, "the rest")
		}
	})
}
