//go:build unix

package loadtest

import (
	"net/http"
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
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		var u websocket.Upgrader
		mu.Lock() // whose handshake is answered gets the next message
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			mu.Unlock()
			return
		}
		defer c.Close()
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
	r := run(t, b)
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
	all := 0 // messages that the server saw
	url := hub(t, func(receiver, message int, send func()) {
		all = message + 1
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
	var lost, doubled, late uint64
	first := all - int(r.Messages) // those before are not measured
	for k := range all {
		switch {
		case k%10 == 3 && k >= first || k%10 == 7 && k == all-1:
			lost++
		case k%10 == 5:
			doubled++
		case k%10 == 7:
			late++
		}
	}
	if r.Messages < 80 || r.Lost != lost || r.Duplicates != doubled || r.Reordered != late || r.Incomplete != lost || r.Deliveries+lost != 4*r.Messages {
		t.Errorf("%+v, want %d lost, %d doubled and %d reordered", r, lost, doubled, late)
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
