//go:build unix

package engine

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

const span200 = 200 * time.Millisecond

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), IdleTimeout: 5 * span200})
		p, _ := j.opened(t, s)
		began := time.Now()
		for range 12 { // a byte now and then is life, also within a frame
			p.write(frameOf(codec.Pong, "")[:3])
			j.none(t, span200/4)
			p.write(frameOf(codec.Pong, "")[3:])
			j.want(t, "pong")
			j.none(t, span200/2)
		}
		quiet := time.Now()
		p.want("close 1001 idle")
		if d := time.Since(quiet); d < span200 || d > 20*span200 {
			t.Errorf("closed %v after the last byte", d)
		}
		if d := time.Since(began); d < 12*span200*3/4 {
			t.Errorf("closed after %v though bytes came", d)
		}
		p.write(closeOf(1001, ""))
		p.end()
		p.fin()
		j.want(t, "close 1001")
	})
}

func TestIdleTimeoutSparesThePaused(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), IdleTimeout: span200, PingInterval: span200})
		_, c := j.opened(t, s)
		c.Pause()
		j.none(t, 5*span200)
		if c.ReadyState() != Open {
			t.Fatal("a paused connection's silence is ours, not the peer's")
		}
		c.Resume()
	})
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	const interval = 4 * span200 // which is also how long a pong may take
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), PingInterval: interval})
		p, _ := j.opened(t, s)
		for range 3 {
			began := time.Now()
			p.want("ping")
			if d := time.Since(began); d < interval/2 {
				t.Errorf("a ping %v after the last pong", d)
			}
			p.write(frameOf(codec.Pong, ""))
			j.want(t, "pong")
		}
		p.want("ping")
		began := time.Now()
		p.end() // unanswered: no close frame, the peer is dead
		if d := time.Since(began); d < interval/2 || d > 20*interval {
			t.Errorf("ended %v after the unanswered ping", d)
		}
		j.want(t, "close 1006")
	})
}

// Pings end nobody's patience later: what a ping leaves of the idle time runs on.
func TestIdleTimeoutEndsWhoDoesNotAnswerThePing(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), PingInterval: 4 * span200, IdleTimeout: 12 * span200})
		p, _ := j.opened(t, s)
		for range 2 {
			p.want("ping")
			p.write(frameOf(codec.Pong, ""))
			j.want(t, "pong")
		}
		p.want("ping")
		p.want("close 1001 idle")
		p.write(closeOf(1001, ""))
		p.end()
		p.fin()
		j.want(t, "close 1001")
	})
}

// However much of the idle time a ping leaves, the next one comes in its interval.
func TestHeartbeatKeepsItsIntervalBesideALongIdleTimeout(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		s := serve(t, ServerOptions{Config: cfg, PingInterval: span200, IdleTimeout: time.Minute})
		p := join(t, s)
		began := time.Now()
		for range 3 {
			p.want("ping")
			p.write(frameOf(codec.Pong, ""))
		}
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("three pings took %v", d)
		}
	})
}

// Frames that wait while a handler takes its time are no silence of the peer's.
func TestIdleTimeoutSparesWhoWaitsForAHandler(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j, held, first := newJournal(), make(chan struct{}), make(chan struct{}, 2)
		h := j.handler()
		h.Message = func(_ *Conn, m Message) {
			first <- struct{}{}
			<-held
			j.note("text %s", m.Data)
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h, IdleTimeout: 2 * span200})
		p, _ := j.opened(t, s)
		p.text("one")
		<-first
		p.text("two")
		j.none(t, 5*span200)
		held <- struct{}{}
		j.want(t, "text one")
		<-first
		held <- struct{}{}
		j.want(t, "text two")
		p.want("close 1001 idle") // now that it says nothing
	})
}

// A request that goes to net/http in the turn in which its time is over is answered
// once.
func TestHandshakeTimeoutSparesWhatNetHTTPHas(t *testing.T) {
	t.Parallel()
	j, held := newJournal(), make(chan struct{})
	h := j.handler()
	h.Message = func(*Conn, Message) {
		j.note("busy")
		<-held
	}
	s := serve(t, ServerOptions{
		Config: Config{Dispatch: DispatchLoop, Loops: 1}, Handler: h, HandshakeTimeout: 3 * span200,
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(span200 / 4) // for a 408 to be first
			web(w, r)
		}),
	})
	busy, _ := j.opened(t, s)
	late := connect(t, s)
	eventually(t, "the connection", func() bool { return s.e.Stats().Accepted == 2 })
	busy.text("hold the loop")
	j.want(t, "busy")
	late.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	j.none(t, 5*span200)
	close(held)
	res := late.response()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode == 200 && string(body) != "GET /  <nil> true" {
		t.Fatalf("%s %q, %v", res.Status, body, err)
	}
	if res.StatusCode != 200 { // where the poller tells of the request a turn later
		late.end()
	}
}

// Traffic of its own spares a peer the pings.
func TestHeartbeatNotWhileThereIsTraffic(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.echo(), PingInterval: 6 * span200})
	p, _ := j.opened(t, s)
	for range 20 {
		p.text("x")
		p.want("text x")
		j.want(t, "text x")
		j.none(t, span200/2)
	}
}

func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), WriteTimeout: 2 * span200})
		_, c := j.opened(t, s)
		began := time.Now()
		fill(t, c)
		if got := receive(t, j.calls, "Error"); got != "error "+ErrStalled.Error() {
			t.Fatal(got)
		}
		j.want(t, "close 1006")
		if d := time.Since(began); d < 2*span200 {
			t.Errorf("terminated after %v", d)
		}
	})
}

// A peer that takes a little now and then has not stalled.
func TestWriteTimeoutSparesTheSlow(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), WriteTimeout: 2 * span200, SendBuffer: 64 << 10})
	p, c := j.opened(t, s)
	fill(t, c)
	buf := make([]byte, 256<<10)
	for c.BufferedAmount() > 0 {
		if _, err := p.r.Read(buf); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if c.BufferedAmount() == 0 {
				break // nothing more may come
			}
			if _, err := p.conn.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(span200 / 4)
	}
	j.want(t, "drain")
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]ServerOptions{
		"Addr":             {Addr: "nonsense"},
		"SlowPolicy":       {Addr: "127.0.0.1:0", SlowPolicy: 9},
		"IdleTimeout":      {Addr: "127.0.0.1:0", IdleTimeout: maxTimeout + 1},
		"HandshakeTimeout": {Addr: "127.0.0.1:0", HandshakeTimeout: maxTimeout + 1},
		"Loops":            {Addr: "127.0.0.1:0", Config: Config{Loops: -1}},
		"Batch":            {Addr: "127.0.0.1:0", Config: Config{Batch: -1}},
		"ReadBuffer":       {Addr: "127.0.0.1:0", Config: Config{ReadBuffer: 1}},
		"Workers":          {Addr: "127.0.0.1:0", Config: Config{Workers: -1}},
		"MaxConns":         {Addr: "127.0.0.1:0", Config: Config{MaxConns: -1}},
		"Dispatch":         {Addr: "127.0.0.1:0", Config: Config{Dispatch: 7}},
	} {
		if s, err := NewServer(o); err == nil {
			t.Errorf("%s: no error", name)
			stop(t, s)
		} else if errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
