//go:build unix

package loadtest

import (
	"encoding/binary"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func runSlow(t *testing.T, s Slow) *SlowReport {
	t.Helper()
	r := run(t, s)
	if r.Slow == nil {
		t.Fatalf("no report; failures %+v", r.Failures)
	}
	for _, f := range r.Failures {
		if f.Cause == "corrupt" || f.Cause == "protocol" {
			t.Errorf("failure %+v", f)
		}
	}
	return r.Slow
}

// queues sends what one connection sends to all, over a queue each. Who lets his
// become full gets no more, and a close frame behind what is under way.
func queues(t *testing.T, length int) (url string) {
	var mu sync.Mutex
	all := map[*websocket.Conn]chan []byte{}
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		var u websocket.Upgrader
		queue := make(chan []byte, length)
		mu.Lock() // whose handshake is answered gets the next message
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			mu.Unlock()
			return
		}
		defer c.Close()
		all[c] = queue
		mu.Unlock()
		_ = c.NetConn().(*net.TCPConn).SetWriteBuffer(8 << 10)
		go func() {
			for p := range queue {
				_ = c.WriteMessage(websocket.BinaryMessage, p)
			}
			_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1008, "too slow"), time.Now().Add(soon))
		}()
		for {
			_, p, err := c.ReadMessage()
			mu.Lock()
			for to, q := range all {
				if to == c && err != nil {
					close(q)
					delete(all, to)
					continue
				}
				if err != nil {
					continue
				}
				select {
				case q <- p:
				default:
					close(q)
					delete(all, to)
				}
			}
			mu.Unlock()
			if err != nil {
				return
			}
		}
	})
}

func TestSlowReadersAreCutAndTheOthersMissNothing(t *testing.T) {
	t.Parallel()
	const conns, rate = 20, 100
	s := Slow{Options: Options{URL: queues(t, 80), Conns: conns, Loops: 2}, Share: 0.2, Rate: rate, Size: 8 << 10, Warmup: 300 * time.Millisecond, Duration: 2 * time.Second}
	r := runSlow(t, s)
	if r.Slow != 4 || r.Disconnected != 4 || len(r.Cuts) != 1 || r.Cuts[0] != (SlowCut{"closed-by-server-1008", 4}) {
		t.Errorf("%d slow, %d disconnected, %+v; want 4 with 1008", r.Slow, r.Disconnected, r.Cuts)
	}
	if r.Baseline.Fast != conns || r.Loaded.Fast != conns-4 || r.Baseline.Lost+r.Loaded.Lost != 0 || r.Baseline.Messages == 0 {
		t.Errorf("baseline %+v, loaded %+v; want %d and %d that miss nothing", r.Baseline, r.Loaded, conns, conns-4)
	}
	// Each of four was owed some 230, and got what its queue and the buffers hold.
	if r.Missed < r.Owed/5 || r.Missed >= r.Owed || r.Owed < 4*200 || r.Owed > 4*400 || r.ReadPerSecond != 0 {
		t.Errorf("missed %d of %d, read %v B/s", r.Missed, r.Owed, r.ReadPerSecond)
	}
}

func TestSlowReadersReadAtTheirRate(t *testing.T) {
	t.Parallel()
	const rate = 40_000
	s := Slow{Options: Options{URL: queues(t, 1000), Conns: 4}, Share: 0.5, ReadRate: rate, Rate: 100, Size: 8 << 10, Duration: time.Second}
	r := runSlow(t, s)
	if r.ReadPerSecond < 0.8*rate || r.ReadPerSecond > 1.05*rate {
		t.Errorf("read %v bytes a second, want %d", r.ReadPerSecond, rate)
	}
	if r.Disconnected != 0 || r.Missed != 0 {
		t.Errorf("%d cut, %d missed; the queues were long enough", r.Disconnected, r.Missed)
	}
}

func TestSlowTellsWhatTheFastOnesSuffer(t *testing.T) {
	t.Parallel()
	const pause = 100 * time.Millisecond
	url := hub(t, func(receiver, _ int, send func()) { send() })
	delayed := serve(t, func(c *websocket.Conn) {
		up, _, err := websocket.DefaultDialer.Dial(url, nil)
		if err != nil {
			return
		}
		defer up.Close()
		go func() {
			for {
				_, p, err := up.ReadMessage()
				if err != nil {
					return
				}
				if binary.LittleEndian.Uint32(p[4:]) >= phaseApart {
					time.Sleep(pause)
				}
				_ = c.WriteMessage(websocket.BinaryMessage, p)
			}
		}()
		for {
			kind, p, err := c.ReadMessage()
			if err != nil || up.WriteMessage(kind, p) != nil {
				return
			}
		}
	})
	r := calmly(t, func() *Report {
		return run(t, Slow{Options: Options{URL: delayed, Conns: 10}, Share: 0.1, Rate: 8, Size: 100, Duration: 500 * time.Millisecond})
	}).Slow
	if r.Baseline.Latency.P50 >= pause || r.Loaded.Latency.P50 < pause || r.FastP99Ratio != float64(r.Loaded.Latency.P99)/float64(r.Baseline.Latency.P99) {
		t.Errorf("baseline %+v, loaded %+v, ratio %v; want %v more", r.Baseline.Latency, r.Loaded.Latency, r.FastP99Ratio, pause)
	}
}

// An echo server stops reading those who do not read. When they do, all comes.
func TestSlowReadersOfAnEchoLoseNothingThatWasSent(t *testing.T) {
	t.Parallel()
	url := serve(t, echoAll)
	s := Slow{Options: Options{URL: url, Conns: 10, Loops: 2}, Share: 0.2, Echo: true, Rate: 500, Size: 16 << 10, Text: true, Duration: 500 * time.Millisecond}
	r := runSlow(t, s)
	if r.Workload != "echo" || r.Slow != 2 || r.Disconnected != 0 || r.Missed != 0 || r.Owed == 0 || r.Loaded.Messages == 0 || r.Loaded.Lost != 0 {
		t.Errorf("%+v", r)
	}
}
