package push_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// expectElsewhere wants c told to go to another server, and returns when to be
// there.
func (p *peer) expectElsewhere() time.Duration {
	p.t.Helper()
	f := p.expect(protocol.EventError)
	var d struct {
		Code  int
		After *int64 `json:"reconnect_after_ms"`
	}
	if err := json.Unmarshal(f.Data, &d); err != nil || d.Code != protocol.CodeReconnect || d.After == nil {
		p.t.Fatalf("pusher:error says %s", f.Data)
	}
	p.expectClose(protocol.CodeReconnect)
	return time.Duration(*d.After) * time.Millisecond
}

func TestDrainSendsEveryoneElsewhere(t *testing.T) {
	r := start(t, push.Options{DrainRate: 1000})
	peers := []*peer{r.connect(), r.connect(), r.connect()}
	if status, _ := r.do(r.plain("GET", "/readyz", "")); status != http.StatusOK {
		t.Errorf("readyz %d before", status)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.push.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		p.expectElsewhere()
	}
	r.dial("/app/" + app.Key + "?protocol=7").expectClose(protocol.CodeOverCapacity)
	if status, _ := r.do(r.plain("GET", "/readyz", "")); status != http.StatusServiceUnavailable {
		t.Errorf("readyz %d while draining", status)
	}
	if status, _ := r.do(r.plain("GET", "/healthz", "")); status != http.StatusOK {
		t.Errorf("healthz %d while draining", status)
	}
}

func TestADrainIsSpreadEvenlyAfterItsDelay(t *testing.T) {
	r := start(t, push.Options{DrainRate: 50, DrainDelay: 300 * time.Millisecond})
	const conns = 40
	left := make(chan time.Time, conns)
	for range conns {
		p := r.connect()
		go func() {
			for {
				if _, err := p.read(); websocket.CloseStatus(err) == protocol.CodeReconnect {
					left <- time.Now()
					return
				} else if err != nil {
					t.Error(err)
					left <- time.Now()
					return
				}
			}
		}()
	}
	begun := time.Now()
	if err := r.push.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	early := 0
	for range conns {
		at := (<-left).Sub(begun) - 300*time.Millisecond
		if at < 0 {
			t.Errorf("one was told to leave %v before the delay was over", -at)
		}
		if at < 400*time.Millisecond {
			early++
		}
	}
	if early > conns/2+5 {
		t.Errorf("%d of %d left in the first half", early, conns)
	}
}

func TestClientsOfAHastyDrainComeBackSpreadOverItsWindow(t *testing.T) {
	r := start(t, push.Options{DrainRate: 100000, DrainWindow: 2 * time.Second})
	const conns = 60
	var peers []*peer
	for range conns {
		peers = append(peers, r.connect())
	}
	if err := r.push.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var least, most time.Duration = time.Hour, 0
	for _, p := range peers {
		after := p.expectElsewhere()
		least, most = min(least, after), max(most, after)
	}
	if window := conns * time.Second / 100; most-least < window/2 || most > window {
		t.Errorf("they come back %v to %v later, and are to be spread over %v", least, most, window)
	}
}

func TestOperatorsDrainAndCancel(t *testing.T) {
	r := start(t, push.Options{DrainRate: 1, DrainDelay: time.Hour})
	p := r.connect()
	ask := func(method, bearer string) (int, string) {
		req := r.plain(method, "/drain", "")
		req.Header.Set("Authorization", "Bearer "+bearer)
		return r.do(req)
	}
	for _, tt := range []struct {
		method, bearer string
		status         int
		body           string
	}{
		{"POST", "wrong", 401, ""}, {"PUT", token, 405, ""}, {"DELETE", token, 409, ""},
		{"GET", token, 200, `{"draining":false,"connections":1}`}, {"POST", token, 200, `{"draining":true,"connections":1}`},
	} {
		if status, body := ask(tt.method, tt.bearer); status != tt.status || tt.body != "" && body != tt.body {
			t.Errorf("%s: %d %s, want %d %s", tt.method, status, body, tt.status, tt.body)
		}
	}
	if status, _ := r.do(r.plain("GET", "/readyz", "")); status != http.StatusServiceUnavailable {
		t.Errorf("readyz %d while draining", status)
	}
	if status, body := ask("DELETE", token); status != 200 || body != `{"draining":false,"connections":1}` {
		t.Errorf("cancelled: %d %s", status, body)
	}
	if status, _ := r.do(r.plain("GET", "/readyz", "")); status != http.StatusOK {
		t.Errorf("readyz %d after", status)
	}
	p.fence()
	r.connect()
	done := make(chan error, 1)
	go func() { done <- r.push.Drain(context.Background()) }()
	eventually(t, "it can be cancelled", r.push.CancelDrain)
	if err := <-done; !errors.Is(err, push.ErrDrainCancelled) {
		t.Errorf("Drain returned %v", err)
	}
}

// Whoever is let in while a drain begins is sent away too: by the drain, or by a second
// look at it.
func TestNobodySlipsPastADrainThatBegins(t *testing.T) {
	r := start(t, push.Options{DrainWindow: time.Millisecond})
	for range 100 {
		came := make(chan *peer)
		for range 4 {
			go func() { came <- r.dial("/app/" + app.Key + "?protocol=7") }()
		}
		first := <-came // the others are on their way
		if err := r.push.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*peer{first, <-came, <-came, <-came} {
			for {
				_, err := p.read()
				if code := int(websocket.CloseStatus(err)); code == protocol.CodeOverCapacity || code == protocol.CodeReconnect {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		r.push.CancelDrain()
	}
}

func TestPusherJSAsksOnceForManyChannels(t *testing.T) {
	t.Parallel()
	root := npmRoot(t)
	r := start(t, push.Options{})
	if out, err := r.node(t, root, "herd.mjs", "http://"+r.addr+"/roost.js").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
