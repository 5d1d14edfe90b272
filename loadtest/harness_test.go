//go:build unix

package loadtest

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/roost-ws/roost/codec"
)

// stalling is an idle script whose one tick takes long.
type stalling struct {
	*loop
	stall time.Duration
}

func (s *stalling) message(*conn, codec.Message) error { return nil }
func (s *stalling) closed(*conn)                       {}
func (s *stalling) tick() int64 {
	time.Sleep(s.stall)
	return never
}

// pondering takes long over a message.
type pondering struct {
	stalling
	stall time.Duration
}

func (p *pondering) message(*conn, codec.Message) error {
	time.Sleep(p.stall)
	return nil
}

func TestLagIsHowLateALoopWoke(t *testing.T) {
	const stall = 150 * time.Millisecond
	d, err := newDriver(t.Context(), "idle", Options{URL: serve(t, echoAll), Conns: 1}, 100, func(l *loop) script { return &stalling{l, stall} })
	must(t, err)
	d.connect()
	d.wait("measure", 200*time.Millisecond, nil)
	d.each(func(l *loop) { l.due = l.clock() })
	d.wait("measure", 300*time.Millisecond, nil)
	r, err := d.finish()
	must(t, err)
	h := r.Harness
	// The beat after the tick came late by the stall, less the beat's own distance.
	if h.Lag.Count < 10 || h.Lag.Max < stall-2*beatEvery || h.Lag.P50 > stall/2 {
		t.Errorf("lag %+v, want many small ones and one of about %v", h.Lag, stall)
	}
	seen := time.Duration(0)
	for _, s := range r.Samples {
		seen = max(seen, s.Lag)
	}
	if seen != h.Lag.Max.Round(0) && (seen-h.Lag.Max).Abs() > h.Lag.Max/100 {
		t.Errorf("samples saw a lag of %v, the run one of %v", seen, h.Lag.Max)
	}
	if h.Loops != 1 || h.Processes != 1 || h.Time <= 0 {
		t.Errorf("harness %+v", h)
	}
}

func TestLagIsHowLongALoopWasAtMessages(t *testing.T) {
	const stall = 150 * time.Millisecond
	now := make(chan struct{})
	url := serve(t, func(c *websocket.Conn) {
		<-now
		_ = c.WriteMessage(websocket.BinaryMessage, []byte("x"))
		echoAll(c)
	})
	d, err := newDriver(t.Context(), "idle", Options{URL: url, Conns: 1}, 100, func(l *loop) script { return &pondering{stalling{l, 0}, stall} })
	must(t, err)
	d.connect()
	d.wait("measure", 200*time.Millisecond, nil)
	close(now)
	d.wait("measure", 300*time.Millisecond, nil)
	r, err := d.finish()
	must(t, err)
	// A beat came while it was at the message.
	if h := r.Harness; h.Lag.Count < 10 || h.Lag.Max < stall-2*beatEvery || h.Lag.P50 > stall/2 {
		t.Errorf("lag %+v, want many small ones and one of about %v", h.Lag, stall)
	}
}

func TestTheHarnessSaysWhenItIsTheLimit(t *testing.T) {
	busyLoop := []Sample{{Stage: "measure", Length: time.Second, ClientCores: 0.95}}
	for _, c := range []struct {
		h       Harness
		samples []Sample
		says    string
	}{
		{Harness{Loops: 1}, busyLoop, "used 0.95 cores"},
		{Harness{Loops: 2}, busyLoop, ""},
		{Harness{Loops: 1}, []Sample{{Stage: "connect", Length: time.Second, ClientCores: 1}}, ""},
		{Harness{Loops: 1, Lag: Latency{P99: 40 * time.Millisecond}}, nil, "40.0 ms late"},
	} {
		c.h.judge(c.samples)
		if c.h.Bound != (c.says != "") || !strings.Contains(c.h.Why, c.says) {
			t.Errorf("bound %v, why %q; want %q", c.h.Bound, c.h.Why, c.says)
		}
	}
}
