//go:build unix

package loadtest

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestIdleOpensVerifiesAndCloses(t *testing.T) {
	t.Parallel()
	var atServer, normal atomic.Int64
	url := serve(t, func(c *websocket.Conn) {
		atServer.Add(1)
		for {
			kind, p, err := c.ReadMessage()
			if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				normal.Add(1)
			}
			if err != nil || c.WriteMessage(kind, p) != nil {
				return
			}
		}
	})
	const conns = 300
	for _, loops := range []int{1, 3} {
		atServer.Store(0)
		normal.Store(0)
		r := runIdle(t, Idle{Options: Options{URL: url, Conns: conns, Loops: loops}, Verify: true})
		noFailures(t, r)
		c := r.Connections
		if c.Opened != conns || c.Lost != 0 || c.Handshake.Count != conns || r.Idle.Standing != conns || atServer.Load() != conns {
			t.Errorf("%d loops: %+v, standing %d, at the server %d; want %d", loops, c, r.Idle.Standing, atServer.Load(), conns)
		}
		if v := r.Idle.Verified; v.Echoed != conns || v.Silent != 0 {
			t.Errorf("%d loops: verified %+v, want %d echoed", loops, v, conns)
		}
		if normal.Load() != conns {
			t.Errorf("%d loops: server saw %d normal closures, want %d", loops, normal.Load(), conns)
		}
	}
}

func TestIdleAnswersPings(t *testing.T) {
	const conns, pings = 20, 3
	var pongs atomic.Int64
	url := serve(t, func(c *websocket.Conn) {
		c.SetPongHandler(func(text string) error {
			if text == "are you there" {
				pongs.Add(1)
			}
			return nil
		})
		for range pings {
			if c.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(soon)) != nil {
				return
			}
		}
		_, _, _ = c.ReadMessage()
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for ctx.Err() == nil && pongs.Load() < conns*pings {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	r, err := Idle{Options: Options{URL: url, Conns: conns}, Hold: soon}.Run(ctx)
	must(t, err)
	if pongs.Load() != conns*pings || r.Idle.Pings != conns*pings || !r.Interrupted {
		t.Errorf("%d pongs came, %d reported, interrupted %v; want %d", pongs.Load(), r.Idle.Pings, r.Interrupted, conns*pings)
	}
}

func TestConnectRateHolds(t *testing.T) {
	t.Parallel()
	url := serve(t, echoAll)
	r := runIdle(t, Idle{Options: Options{URL: url, Conns: 100, ConnectRate: 200}})
	// The first leaves at once: 99 intervals of 5 ms.
	if r.Connections.Opened != 100 || r.Connections.Took < 490*time.Millisecond || r.Connections.Took > 2*time.Second {
		t.Errorf("%d opened in %v, want 100 in about 495 ms", r.Connections.Opened, r.Connections.Took)
	}
}

func TestSourceAddressesAreUsedInTurn(t *testing.T) {
	seen := make(chan string, 9)
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.RemoteAddr[:len("127.0.0.2")]
		w.WriteHeader(http.StatusTeapot)
	})
	sources, err := ParseSources("127.0.0.2-127.0.0.4")
	must(t, err)
	runIdle(t, Idle{Options: Options{URL: url, Conns: 9, Sources: sources}})
	count := map[string]int{}
	for range 9 {
		count[<-seen]++
	}
	if count["127.0.0.2"] != 3 || count["127.0.0.3"] != 3 || count["127.0.0.4"] != 3 {
		t.Errorf("connections came from %v, want 3 of each", count)
	}
}

func TestHeadersAndSubprotocolAreOffered(t *testing.T) {
	got := make(chan http.Header, 1)
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		u := websocket.Upgrader{Subprotocols: []string{"b"}}
		c, err := u.Upgrade(w, r, nil)
		if err == nil {
			echoAll(c)
			_ = c.Close()
		}
	})
	o := Options{URL: url + "path?x=1", Conns: 1, Protocols: []string{"a", "b"}, Header: http.Header{"Authorization": {"Bearer x"}}}
	noFailures(t, runIdle(t, Idle{Options: o, Verify: true}))
	h := <-got
	if h.Get("Authorization") != "Bearer x" || h.Get("Sec-WebSocket-Protocol") != "a, b" {
		t.Errorf("header %v", h)
	}
}

func TestServerIsFoundByItsSocketAndMeasured(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other processes are read on linux only")
	}
	const conns = 500
	url := echoProcess(t)
	r := runIdle(t, Idle{Options: Options{URL: url, Conns: conns}})
	if r.Server == nil || !r.Server.Found || len(r.Server.PIDs) != 1 || r.Server.PIDs[0] == os.Getpid() {
		t.Fatalf("server %+v, want one that is not this process", r.Server)
	}
	m := r.Idle.Memory
	// gorilla takes about 17 KB a connection; under race more.
	if m == nil || m.User == nil || m.User.PerConnection < 4<<10 || m.User.PerConnection > 400<<10 {
		t.Errorf("memory %+v, want some 17 KB of user space", m)
	}
	if m.Kernel == nil || !m.Kernel.BothEnds {
		t.Errorf("memory %+v, want the kernel's of both ends", m)
	}
}

// A connection may cost the harness 400 bytes of its own; the kernel's come on top.
func TestConnectionCostsAtMost400Bytes(t *testing.T) {
	const conns, most = 5000, 400
	url := echoProcess(t)
	before := heap()
	measured := make(chan uint64, 1)
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	idle := Idle{Options: Options{URL: url, Conns: conns}, Hold: soon, Verify: true}
	idle.Progress = func(p Progress) {
		if p.Stage == "hold" && p.Open == conns {
			measured <- heap()
			cancel()
		}
	}
	r, err := idle.Run(ctx)
	must(t, err)
	noFailures(t, r)
	if r.Idle.Verified.Echoed != conns {
		t.Fatalf("%d echoed, want %d", r.Idle.Verified.Echoed, conns)
	}
	// What does not grow with connections: the read buffer and the histogram.
	fixed := uint64(readSize + newLatency().h.ByteSize())
	if each := int64(<-measured-before-fixed) / conns; each > most {
		t.Errorf("%d bytes a connection, want at most %d", each, most)
	} else {
		t.Logf("%d bytes a connection", each)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func TestPreflightNamesWhatWillFail(t *testing.T) {
	var notices []Notice
	o := Options{URL: "ws://127.0.0.1:9/", Conns: 1 << 24, Notice: func(n Notice) { notices = append(notices, n) }}
	must(t, o.normalize())
	tg, err := resolve(context.Background(), o.URL)
	must(t, err)
	all := preflight(&o, []target{tg}, &server{local: true})
	about := func(word string) bool {
		return slices.ContainsFunc(all, func(n Notice) bool { return n.Remedy != "" && containsWord(n.Problem, word) })
	}
	if !about("descriptors") {
		t.Errorf("%v: nothing about descriptors", all)
	}
	procs := func() bool {
		return slices.ContainsFunc(preflight(&o, []target{tg}, &server{local: true}), func(n Notice) bool { return containsWord(n.Remedy, "--procs") })
	}
	if !procs() {
		t.Errorf("%v: no remedy is --procs", all)
	}
	o.whole = true
	if procs() {
		t.Error("--procs is a remedy where the scenario refuses it")
	}
	o.whole, o.Part.Of = false, 2
	if procs() {
		t.Error("--procs is a remedy of agents, who refuse it")
	}
	o.Part.Of = 0
	if runtime.GOOS == "linux" && !about("ports") {
		t.Errorf("%v: nothing about ports", all)
	}
	o.Conns = 10
	if all := preflight(&o, []target{tg}, &server{local: true}); len(all) != 0 {
		t.Errorf("10 connections: notices %v, want none", all)
	}
}
