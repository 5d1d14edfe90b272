//go:build unix

package loadtest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// The server answers each message after a delay, and sleeps for nobody meanwhile.
func TestOpenModelTellsAKnownDelay(t *testing.T) {
	t.Parallel()
	const delay = 40 * time.Millisecond
	url := serve(t, func(c *websocket.Conn) {
		type reply struct {
			at time.Time
			p  []byte
		}
		replies := make(chan reply, 1000)
		go func() {
			for r := range replies {
				time.Sleep(time.Until(r.at))
				_ = c.WriteMessage(websocket.BinaryMessage, r.p)
			}
		}()
		defer close(replies)
		for {
			_, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			replies <- reply{time.Now().Add(delay), p}
		}
	})
	const rate = 200
	r := runEcho(t, Echo{Options: Options{URL: url, Conns: 5}, Rate: rate, InFlight: 100, Duration: time.Second}).Echo
	due := int64(rate * r.Measured.Seconds())
	if r.Latency.P50 < delay || r.Latency.P50 > 2*delay || r.Latency.Count < due-2 || r.Latency.Count > due+2 || r.Unanswered != 0 {
		t.Errorf("%+v, want %d latencies of %v", r, due, delay)
	}
	if d := r.Latency.P50 - r.Uncorrected.P50; d < 0 || d > delay/2 {
		t.Errorf("corrected p50 %v, uncorrected %v; nothing was held up", r.Latency.P50, r.Uncorrected.P50)
	}
}

// With one message under way a connection whose reply is dropped asks no more.
func TestDroppedRepliesAreUnanswered(t *testing.T) {
	t.Parallel()
	var nth, dropped atomic.Int64
	url := serve(t, func(c *websocket.Conn) {
		drops := nth.Add(1) <= 3
		for n := 0; ; n++ {
			kind, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			if drops && n == 10 {
				dropped.Add(1)
				continue
			}
			if c.WriteMessage(kind, p) != nil {
				return
			}
		}
	})
	r := runEcho(t, Echo{Options: Options{URL: url, Conns: 8}, Duration: measured})
	noFailures(t, r)
	if dropped.Load() != 3 || r.Echo.Unanswered != 3 {
		t.Errorf("%d unanswered, %d were dropped", r.Echo.Unanswered, dropped.Load())
	}
}

// A third of the messages were due while the server stood still for a second.
func TestBroadcastDoesNotOmitAStall(t *testing.T) {
	t.Parallel()
	whole := calmly(t, func() *Report {
		var once sync.Once
		url := hub(t, func(_, message int, send func()) {
			if message == 50 {
				once.Do(func() { time.Sleep(time.Second) })
			}
			send()
		})
		return run(t, Broadcast{Options: Options{URL: url, Conns: 3}, Rate: 50, Duration: 3 * time.Second})
	})
	noFailures(t, whole)
	r := whole.Broadcast
	if r.Last.P99 < 900*time.Millisecond || r.Last.P99 > 1500*time.Millisecond || r.Last.P90 < 600*time.Millisecond || r.First.P50 > 500*time.Millisecond {
		t.Errorf("last %+v, first %+v; want a p99 of about a second, evenly down to 0 for a third of them", r.Last, r.First)
	}
	if r.Lost+r.Duplicates+r.Reordered+r.Incomplete != 0 || r.Messages < 145 || r.Messages > 155 {
		t.Errorf("%+v, want about 150 messages, all delivered", r)
	}
}

// While the server stands still lives go on ending, and all that are dialled wait for it.
func TestChurnDoesNotOmitAStall(t *testing.T) {
	t.Parallel()
	var stall sync.RWMutex
	begun := time.Now()
	var once sync.Once
	url := scripted(t, 0, func(c *net.TCPConn, op byte, p []byte) bool {
		if time.Since(begun) > time.Second {
			once.Do(func() {
				stall.Lock()
				time.AfterFunc(time.Second, stall.Unlock)
			})
		}
		stall.RLock()
		defer stall.RUnlock()
		sendFrame(c, op, p)
		return op != opClose
	})
	// Each life says one thing, so that its reply waits for the stall.
	r := runChurn(t, Churn{Options: Options{URL: url, Conns: 20}, Lifetime: 200 * time.Millisecond, Echo: true, Duration: 3 * time.Second})
	noFailures(t, r)
	got := r.Churn
	// All of the 20 places are in the stall with either a message or a close.
	worst := max(got.Close.Max, got.Echo.Latency.Max)
	if worst < 900*time.Millisecond || worst > 1900*time.Millisecond || got.Lingering+got.Echo.Silent+got.Lost != 0 {
		t.Errorf("close %+v, echo %+v; want a second at most, and nothing lost", got.Close, got.Echo.Latency)
	}
	// 100 a second for two seconds of the three.
	if got.Opened < 100 || got.Opened > 260 {
		t.Errorf("%d opened, want about 200", got.Opened)
	}
}
