//go:build unix

package loadtest

import (
	"cmp"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func runStorm(t *testing.T, url string, conns int, o Storm) (*StormReport, *Report) {
	t.Helper()
	o.Options = Options{URL: url, Conns: conns, Loops: 2, More: o.More}
	o.MinBackoff, o.MaxBackoff = cmp.Or(o.MinBackoff, 10*time.Millisecond), 100*time.Millisecond
	o.Before, o.After = 300*time.Millisecond, 300*time.Millisecond
	r := run(t, o)
	if r.Storm == nil {
		t.Fatalf("no report; failures %+v", r.Failures)
	}
	return r.Storm, r
}

func TestAllThatWereCutComeBack(t *testing.T) {
	t.Parallel()
	url := serve(t, echoAll)
	for _, herd := range []bool{false, true} {
		r, all := runStorm(t, url, 40, Storm{Herd: herd})
		noFailures(t, all)
		if r.Cut != 40 || r.Returned != 40 || r.Unreturned != 0 || r.Attempts != 40 || r.PeakRate != 40 || all.Connections.Lost != 0 || all.Connections.Opened != 80 {
			t.Errorf("herd %v: %+v, connections %+v; want 40 cut and back", herd, r, all.Connections)
		}
		if r.Back50 == 0 || r.Back50 > r.Back99 || r.Back99 > r.Back100 || r.Events != nil {
			t.Errorf("herd %v: back at %v, %v, %v", herd, r.Back50, r.Back99, r.Back100)
		}
	}
}

// mortal is a server that can be ended, with all its connections.
func mortal(t *testing.T) (url string, served *atomic.Int64, end func()) {
	var mu sync.Mutex
	var all []*websocket.Conn
	served = new(atomic.Int64)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		served.Add(1)
		mu.Lock()
		all = append(all, c)
		mu.Unlock()
		echoAll(c)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	end = func() {
		_ = s.Close()
		<-done
		mu.Lock()
		defer mu.Unlock()
		for _, c := range all {
			_ = c.NetConn().Close()
		}
	}
	t.Cleanup(end)
	return "ws://" + l.Addr().String() + "/", served, end
}

func TestConnectionsOfAServerThatDiesGoToTheNext(t *testing.T) {
	t.Parallel()
	one, served, end := mortal(t)
	two, others, _ := mortal(t)
	r, all := runStorm(t, one, 20, Storm{Options: Options{More: []string{two}}, Server: true, Kill: func() error { end(); return nil }})
	if served.Load() != 10 || others.Load() != 20 || r.Cut != 10 || r.Returned != 10 || r.By != "server" {
		t.Errorf("%d served by the first, %d by the second; %+v; want 10 cut, and 10 more at the second", served.Load(), others.Load(), r)
	}
	refused := 0
	for _, f := range all.Failures {
		if f.Cause == "refused" {
			refused = f.Count
		}
	}
	if r.Attempts != 10+refused || refused != 10 {
		t.Errorf("%d attempts, failures %+v; want one refused for each", r.Attempts, all.Failures)
	}
}

// A server that is stopped closes nothing, and its kernel goes on to acknowledge.
func TestConnectionsOfAServerThatFallsSilentGoToTheNext(t *testing.T) {
	t.Parallel()
	var stopped atomic.Bool
	one := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if stopped.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var u websocket.Upgrader
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		c.SetPingHandler(func(text string) error {
			if stopped.Load() {
				return nil
			}
			return c.WriteControl(websocket.PongMessage, []byte(text), time.Now().Add(soon))
		})
		echoAll(c)
	})
	two := serve(t, echoAll)
	r, all := runStorm(t, one, 20, Storm{Options: Options{More: []string{two}}, Server: true, Ping: 1500 * time.Millisecond,
		Kill: func() error { stopped.Store(true); return nil }})
	silent := 0
	for _, f := range all.Failures {
		if f.Cause == "silent" {
			silent = f.Count
		}
	}
	if r.Cut != 10 || r.Returned != 10 || silent != 10 || r.Back100 < 200*time.Millisecond {
		t.Errorf("%+v, failures %+v; want 10 silent ones, back at the second", r, all.Failures)
	}
}

func TestWhoeverCannotComeBackIsCounted(t *testing.T) {
	t.Parallel()
	url, _, end := mortal(t)
	r, _ := runStorm(t, url, 5, Storm{Server: true, Kill: func() error { end(); return nil }, Limit: 1500 * time.Millisecond})
	if r.Cut != 5 || r.Returned != 0 || r.Unreturned != 5 || r.Back50 != 0 || r.Attempts < 10 {
		t.Errorf("%+v; want 5 that never come back, and try", r)
	}
}

func stormPusher() *Pusher {
	return &Pusher{Key: testKey, Secret: testSecret, AppID: "1", Channels: 2, Rate: 200, Resume: true, Publishers: 2}
}

func TestResumingConnectionsLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	s := &pusherServer{resume: func(_ int, missed []int) ([]int, bool) { return missed, true }}
	r, all := runStorm(t, servePusher(t, s), 20, Storm{Pusher: stormPusher()})
	noFailures(t, all)
	e := r.Events
	if r.Cut != 20 || r.Returned != 20 || e.Recovered != 20 || e.Unrecovered != 0 || e.Lost+e.Duplicates+e.Reordered != 0 || e.Published < 100 || e.Deliveries != e.Expected {
		t.Errorf("%+v, events %+v", r, e)
	}
}

func TestAConnectionWhoseSubscriptionIsRefusedIsNotBack(t *testing.T) {
	t.Parallel()
	asked := 0
	s := &pusherServer{resume: func(_ int, missed []int) ([]int, bool) { return missed, true }}
	s.subscribe = func(string) bool { asked++; return asked != 5 }
	p := stormPusher()
	p.Channels = 1
	r, _ := runStorm(t, servePusher(t, s), 4, Storm{Pusher: p, Limit: time.Second})
	if e := r.Events; r.Cut != 4 || r.Returned != 3 || r.Unreturned != 1 || e.Refused != 1 || e.Lost == 0 || e.Deliveries+e.Lost != e.Expected {
		t.Errorf("%+v, events %+v; want the one that was refused neither back nor whole", r, e)
	}
}

func TestAStormTellsExactlyWhatAResumptionMissed(t *testing.T) {
	t.Parallel()
	missed, step := 0, 0
	s := &pusherServer{resume: func(_ int, all []int) ([]int, bool) {
		if len(all) < 2 {
			return all, true
		}
		step++
		switch step {
		case 1: // the first is lost in silence
			missed++
			return all[1:], true
		case 2: // the first comes twice
			return append(all[:1:1], all...), true
		case 3: // the first two come the other way round
			return append([]int{all[1], all[0]}, all[2:]...), true
		case 4: // and this one can't be made whole
			missed += len(all)
			return nil, false
		}
		return all, true
	}}
	p := stormPusher()
	p.Channels, p.Rate = 1, 500
	r, _ := runStorm(t, servePusher(t, s), 8, Storm{Pusher: p, MinBackoff: 100 * time.Millisecond})
	s.mu.Lock()
	defer s.mu.Unlock()
	if step < 4 {
		t.Fatalf("%d of %d resumptions had missed anything", step, s.resumed)
	}
	if e := r.Events; e.Lost != uint64(missed) || e.Duplicates != 1 || e.Reordered != 1 || e.Unrecovered != 1 || e.Recovered != 7 {
		t.Errorf("%+v, want %d lost, 1 twice, 1 out of order, 1 not recoverable", e, missed)
	}
}
