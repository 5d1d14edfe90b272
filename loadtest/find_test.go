//go:build unix

package loadtest

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func objective(t *testing.T, text string) []Expectation {
	t.Helper()
	e, err := ParseExpectation(text)
	must(t, err)
	return []Expectation{e}
}

func runFind(t *testing.T, f Find) *FindReport {
	t.Helper()
	r := run(t, f)
	if r.Find == nil {
		t.Fatalf("no report; failures %+v", r.Failures)
	}
	return r.Find
}

// The server takes a millisecond for each message, one after the other: at 1,000 a second its queue grows.
func TestFindEndsWhereTheServersQueueGrows(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var free time.Time
	url := serve(t, func(c *websocket.Conn) {
		for {
			kind, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			mu.Lock()
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(time.Millisecond)
			wait := time.Until(free)
			mu.Unlock()
			time.Sleep(wait)
			if c.WriteMessage(kind, p) != nil {
				return
			}
		}
	})
	f := Find{Options: Options{URL: url, Conns: 100, Loops: 2}, Scenario: "echo", Objective: objective(t, "p50<50ms"), From: 150, To: 1e5, Precision: 0.3, Duration: 500 * time.Millisecond}
	r := calmly(t, func() *Report { return run(t, f) }).Find
	// Half a second at 1,200 a second leaves 100 ms of queue, 50 ms in the middle.
	if r.Found < 300 || r.Found > 1600 || r.Ended == "limit" || r.Ended == "failures" {
		t.Errorf("found %v, ended by %s (%s); want about 1,000: %+v", r.Found, r.Ended, r.Why, r.Steps)
	}
	for i, s := range r.Steps {
		again := i+1 < len(r.Steps) && r.Steps[i+1].Load == s.Load // one failure ends nothing
		if s.Held != (s.Why == "") || s.Held && (s.Latency.P50 >= 50*time.Millisecond || s.Load > r.Found) || !s.Held && !again && s.Load <= r.Found {
			t.Errorf("step %d: %+v; found %v", i, s, r.Found)
		}
	}
	if last := len(r.Steps) - 1; last < 3 || r.Steps[0].Load != 150 || r.Steps[last].Load == r.Steps[0].Load {
		t.Errorf("steps %+v, want 150, and more after it", r.Steps)
	}
}

func TestFindCountsTheConnectionsAServerTakes(t *testing.T) {
	t.Parallel()
	const most = 90
	var open atomic.Int64
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if open.Add(1) <= most {
			echoGorilla(w, r)
		} else {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		open.Add(-1)
	})
	f := Find{Options: Options{URL: url, Loops: 2, Dialing: 4}, Scenario: "idle", Objective: objective(t, "handshake-p99<20s"), From: 10, To: 1000, Duration: 200 * time.Millisecond}
	r := runFind(t, f)
	if r.Found < 80 || r.Found > most || r.Ended != "failures" || !strings.Contains(r.Why, "status-503") {
		t.Errorf("found %v, ended by %s (%s); want about %d, ended by failures: %+v", r.Found, r.Ended, r.Why, most, r.Steps)
	}
}

func TestFindOfABroadcastReachesItsLimit(t *testing.T) {
	t.Parallel()
	url := hub(t, func(_, _ int, send func()) { send() })
	f := Find{Options: Options{URL: url, Conns: 4, Loops: 4}, Scenario: "broadcast", Objective: objective(t, "loss==0"), From: 20, To: 50, Precision: 0.3, Duration: 400 * time.Millisecond}
	r := runFind(t, f)
	if r.Found != 50 || r.Ended != "limit" || len(r.Steps) != 3 {
		t.Errorf("found %v, ended by %s (%s): %+v", r.Found, r.Ended, r.Why, r.Steps)
	}
	f.Objective = objective(t, "p50<1ns")
	if r := runFind(t, f); r.Found != 0 || r.Ended != "objective" || len(r.Steps) != 2 || !strings.Contains(r.Why, "p50<1ns: it is ") {
		t.Errorf("found %v, ended by %s (%s): %+v", r.Found, r.Ended, r.Why, r.Steps)
	}
}
