//go:build unix

package loadtest

import (
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func runChurn(t *testing.T, c Churn) *Report {
	t.Helper()
	r := run(t, c)
	if r.Churn == nil {
		t.Fatalf("no report; failures %+v", r.Failures)
	}
	return r
}

func TestChurnEndsLivesAtItsRateAndFillsTheirPlaces(t *testing.T) {
	t.Parallel()
	var served, normal, reset atomic.Int64
	url := serve(t, func(c *websocket.Conn) {
		served.Add(1)
		for {
			kind, p, err := c.ReadMessage()
			switch {
			case websocket.IsCloseError(err, websocket.CloseNormalClosure):
				normal.Add(1)
				return
			case err != nil:
				reset.Add(1)
				return
			}
			if c.WriteMessage(kind, p) != nil {
				return
			}
		}
	})
	const conns, lifetime = 60, 120 * time.Millisecond
	c := Churn{Options: Options{URL: url, Conns: conns, Loops: 2}, Lifetime: lifetime, Abort: 0.5, Echo: true, Text: true, Duration: 2 * time.Second}
	c.Progress = func(p Progress) {
		if p.Stage == "measure" && p.Lost != 0 {
			t.Errorf("progress %+v: lost are those that we ended", p)
		}
	}
	r := runChurn(t, c)
	noFailures(t, r)
	got := r.Churn
	// 500 a second: a Poisson process of 1,000 strays by 32; a place that is being dialled loses nothing that
	// is due elsewhere, but its own.
	want := conns * got.Measured.Seconds() / lifetime.Seconds()
	if n := float64(got.Opened); n > want+200 || n < 0.5*want {
		t.Errorf("%v opened, want about %v", n, want)
	}
	if n, of := float64(got.Aborted), float64(got.Aborted+got.Closed); math.Abs(n/of-0.5) > 0.12 {
		t.Errorf("%v of %v aborted, want half", n, of)
	}
	if got.Failed+got.Lost+got.Lingering+got.Unanswered+got.Echo.Silent != 0 || got.Standing < conns/2 {
		t.Errorf("%+v, want nothing lost, and most places filled", got)
	}
	all := r.Connections
	if n := int(served.Load()); all.Opened != n || all.Opened != conns+all.Redialled || all.Lost != 0 {
		t.Errorf("%+v, the server served %d", all, n)
	}
	if n := normal.Load() + reset.Load(); int(n) != all.Opened {
		t.Errorf("the server saw %d ends of %d", n, all.Opened)
	}
	if got.Handshake.Count != int64(got.Opened) || got.Close.Count != int64(got.Closed) || got.Echo.Latency.Count != int64(got.Echo.Messages) {
		t.Errorf("%+v: latencies and counts differ", got)
	}
}

// scripted answers handshakes after a delay, and hands each frame to a function,
// which returns whether to go on. All frames are small.
func scripted(t *testing.T, shake time.Duration, frame func(c *net.TCPConn, op byte, payload []byte) bool) (url string) {
	return rawServer(t, func(c *net.TCPConn) {
		go func() {
			defer c.Close()
			time.Sleep(shake)
			accept(c)
			for {
				var head [6]byte
				if _, err := readFull(c, head[:]); err != nil {
					return
				}
				p := make([]byte, head[1]&0x7f)
				if _, err := readFull(c, p); err != nil {
					return
				}
				for i := range p {
					p[i] ^= head[2+i%4]
				}
				if !frame(c, head[0]&0xf, p) {
					return
				}
			}
		}()
	})
}

func sendFrame(c net.Conn, op byte, p []byte) {
	_, _ = c.Write(append([]byte{0x80 | op, byte(len(p))}, p...))
}

const opClose = 8

func TestChurnTellsHowLongHandshakesAndClosesTake(t *testing.T) {
	t.Parallel()
	const shake, leave = 30 * time.Millisecond, 60 * time.Millisecond
	url := scripted(t, shake, func(c *net.TCPConn, op byte, p []byte) bool {
		if op != opClose {
			return true
		}
		sendFrame(c, op, p)
		time.Sleep(leave)
		return false
	})
	r := runChurn(t, Churn{Options: Options{URL: url, Conns: 10}, Lifetime: 100 * time.Millisecond, Duration: time.Second})
	noFailures(t, r)
	got := r.Churn
	if got.Handshake.P50 < shake || got.Handshake.P50 > 3*shake || got.Close.P50 < leave || got.Close.P50 > 3*leave || got.Close.Count == 0 || got.Unanswered != 0 {
		t.Errorf("handshake %+v, close %+v; want %v and %v", got.Handshake, got.Close, shake, leave)
	}
}

func TestChurnTellsServersThatCloseBadly(t *testing.T) {
	t.Parallel() // as other tests here, it mostly waits
	for name, c := range map[string]struct {
		server func(c *net.TCPConn, op byte, p []byte) bool
		check  func(*ChurnReport) bool
	}{
		"without a close frame": {
			func(_ *net.TCPConn, op byte, _ []byte) bool { return op != opClose },
			func(r *ChurnReport) bool { return r.Closed > 0 && r.Unanswered == r.Closed && r.Lingering == 0 },
		},
		"not at all": {
			func(*net.TCPConn, byte, []byte) bool { return true },
			func(r *ChurnReport) bool { return r.Lingering > 0 && r.Closed == 0 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runChurn(t, Churn{Options: Options{URL: scripted(t, 0, c.server), Conns: 20}, Lifetime: 100 * time.Millisecond, Duration: 2500 * time.Millisecond})
			noFailures(t, r)
			if !c.check(r.Churn) {
				t.Errorf("%+v", r.Churn)
			}
		})
	}
}

func TestChurnTellsMessagesThatAreDroppedOrDoubled(t *testing.T) {
	t.Parallel()
	var n, dropped, doubled atomic.Int64
	url := scripted(t, 0, func(c *net.TCPConn, op byte, p []byte) bool {
		if op == opClose {
			sendFrame(c, op, p)
			return false
		}
		switch n.Add(1) % 20 {
		case 7:
			dropped.Add(1)
			return true
		case 13:
			doubled.Add(1)
			_, _ = c.Write(append(append([]byte{0x82, byte(len(p))}, p...), append([]byte{0x82, byte(len(p))}, p...)...))
			return true
		}
		sendFrame(c, op, p)
		return true
	})
	r := runChurn(t, Churn{Options: Options{URL: url, Conns: 20}, Lifetime: 100 * time.Millisecond, Echo: true, Duration: 4 * time.Second})
	got := r.Churn
	// A drop shows two seconds after its life's end was due, so the last ones do not.
	if d := uint64(dropped.Load()); got.Echo.Silent == 0 || got.Echo.Silent > d {
		t.Errorf("%d silent, %d were dropped", got.Echo.Silent, d)
	}
	// What is doubled may meet a connection that we have closed.
	if d := int(doubled.Load()); len(r.Failures) != 1 || r.Failures[0].Cause != "corrupt" || r.Failures[0].Count > d || r.Failures[0].Count < d*2/3 || r.Connections.Lost != r.Failures[0].Count {
		t.Errorf("failures %+v, %d lost; %d were doubled", r.Failures, r.Connections.Lost, doubled.Load())
	}
}

// Connections that the server refuses are tried again, and not in a storm.
func TestChurnTriesAgainWhatFailed(t *testing.T) {
	t.Parallel()
	var begun, asked atomic.Int64
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if begun.Add(1) > 10 {
			asked.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		echoGorilla(w, r)
	})
	r := runChurn(t, Churn{Options: Options{URL: url, Conns: 10}, Lifetime: 50 * time.Millisecond, Duration: time.Second})
	if len(r.Failures) != 1 || r.Failures[0].Cause != "status-503" || r.Connections.Failed < 10 || r.Connections.Failed > int(asked.Load()) {
		t.Fatalf("failures %+v, the server refused %d", r.Failures, asked.Load())
	}
	// 10 places, each ten times a second, for a second and the three of the settling.
	if n := asked.Load(); n < 20 || n > 500 {
		t.Errorf("asked %d times, want about 50 to 400", n)
	}
}

func TestChurnTellsWhatTheServerKeeps(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other processes are read on linux only")
	}
	const conns = 100
	r := runChurn(t, Churn{Options: Options{URL: echoProcess(t), Conns: conns}, Lifetime: 50 * time.Millisecond, Duration: 300 * time.Millisecond})
	s := r.Churn.Server
	if s == nil || s.Before.RSS <= 0 || s.Opened.Descriptors != s.Before.Descriptors+conns || s.Churned.Descriptors != s.Opened.Descriptors || s.After.Descriptors != s.Before.Descriptors {
		t.Errorf("server %+v, want %d descriptors more while they are open, and none after", s, conns)
	}
	// This one ends its streams and keeps what it accepted.
	kept := make(chan *os.File, 1000)
	url := scripted(t, 0, func(c *net.TCPConn, op byte, p []byte) bool {
		sendFrame(c, op, p)
		if f, err := c.File(); err == nil { // a second descriptor
			kept <- f
		}
		_ = c.CloseWrite()
		return false
	})
	r = runChurn(t, Churn{Options: Options{URL: url, Conns: 1}, Lifetime: 50 * time.Millisecond, Duration: 300 * time.Millisecond})
	if s := r.Churn.Server; s == nil || len(kept) == 0 || s.After.Descriptors-s.Before.Descriptors < len(kept) {
		t.Errorf("server %+v, it kept %d", s, len(kept))
	}
	for range len(kept) {
		_ = (<-kept).Close()
	}
}
