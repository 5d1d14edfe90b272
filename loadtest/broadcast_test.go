//go:build unix

package loadtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// hub sends what one connection sends to all, as the script says for each.
func hub(t *testing.T, deliver func(receiver, message int, send func())) (url string) {
	var mu sync.Mutex
	var all []*websocket.Conn
	messages := 0
	return serve(t, func(c *websocket.Conn) {
		mu.Lock()
		all = append(all, c)
		mu.Unlock()
		for {
			kind, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			mu.Lock()
			for i, to := range all {
				deliver(i, messages, func() { _ = to.WriteMessage(kind, p) })
			}
			messages++
			mu.Unlock()
		}
	})
}

func runBroadcast(t *testing.T, b Broadcast) *BroadcastReport {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	r := checked(t)(b.Run(ctx))
	noFailures(t, r)
	if r.Broadcast == nil {
		t.Fatal("no report")
	}
	return r.Broadcast
}

func TestBroadcastTellsFirstMedianAndLast(t *testing.T) {
	const pause = 20 * time.Millisecond
	url := hub(t, func(receiver, _ int, send func()) {
		if receiver > 0 {
			time.Sleep(pause)
		}
		send()
	})
	r := runBroadcast(t, Broadcast{Options: Options{URL: url, Conns: 5, Loops: 2}, Rate: 5, Text: true, Duration: time.Second})
	if r.Messages < 4 || r.Messages > 6 || r.Deliveries != 5*r.Messages || r.Lost+r.Duplicates+r.Reordered+r.Incomplete != 0 || r.Receivers != 5 {
		t.Errorf("%+v, want about 5 messages, each once to each of 5", r)
	}
	if r.First.P50 >= pause || r.Median.P50 < 2*pause || r.Last.P50 < 4*pause || r.Last.P50 < r.Median.P50+2*pause {
		t.Errorf("first %v, median %v, last %v; they should be about 0, %v and %v", r.First.P50, r.Median.P50, r.Last.P50, 2*pause, 4*pause)
	}
}

func TestBroadcastCountsLossDuplicatesAndOrderExactly(t *testing.T) {
	t.Parallel()
	var held func()
	url := hub(t, func(receiver, message int, send func()) {
		switch {
		case receiver == 1 && message%10 == 3: // dropped
		case receiver == 2 && message%10 == 5:
			send()
			send()
		case receiver == 3 && message%10 == 7:
			held = send
		case receiver == 3 && message%10 == 8:
			send()
			held()
		default:
			send()
		}
	})
	r := runBroadcast(t, Broadcast{Options: Options{URL: url, Conns: 4, Loops: 2}, Rate: 100, Duration: time.Second})
	tens := r.Messages / 10
	near := func(n uint64) bool { return n == tens || n == tens+1 }
	if tens < 8 || !near(r.Lost) || !near(r.Duplicates) || !near(r.Reordered) || r.Incomplete != r.Lost || r.Deliveries+r.Lost != 4*r.Messages {
		t.Errorf("%+v, want one of ten messages lost, doubled and reordered each", r)
	}
}

func TestOrderTellsDuplicatesFromLatecomers(t *testing.T) {
	var r receiver
	for i, c := range []struct {
		seq  uint32
		want arrival
	}{
		{0, inOrder}, {0, duplicate}, {2, inOrder}, {1, reordered}, {1, duplicate}, {2, duplicate},
		{65, inOrder}, {2, duplicate}, {3, reordered}, {3, duplicate}, {300, inOrder}, {299, reordered}, {65, duplicate}, {64, reordered}, {300, duplicate},
	} {
		if got := r.take(c.seq); got != c.want {
			t.Errorf("step %d: %d is %v, want %v", i, c.seq, got, c.want)
		}
	}
}
