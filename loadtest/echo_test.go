//go:build unix

package loadtest

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
)

const measured = 150 * time.Millisecond

func TestEchoOfEveryShape(t *testing.T) {
	url := serve(t, echoAll)
	for _, e := range []Echo{
		{Size: 64, InFlight: 1},
		{Size: 64, InFlight: 16},
		{Size: MinEchoSize(false), InFlight: 2},
		{Size: MinEchoSize(true), InFlight: 2, Text: true},
		{Size: 125, Text: true},
		{Size: 70 << 10, InFlight: 4},            // more than the read buffer: frames are held
		{Size: 1 << 20, InFlight: 8, Text: true}, // more than the socket buffers: writes block
		{Size: 64, InFlight: 4, Rate: 2000},      // open model
		{Size: 70 << 10, InFlight: 4, Rate: 200},
	} {
		e.Options = Options{URL: url, Conns: 4, Loops: 2}
		e.Duration = measured
		r := runEcho(t, e)
		noFailures(t, r)
		got := r.Echo
		if got.Messages == 0 || got.Unanswered != 0 || got.Latency.Count == 0 {
			t.Errorf("%d B, %d in flight, text %v: %+v", e.Size, e.InFlight, e.Text, got)
		}
		if due := e.Rate * got.Measured.Seconds(); e.Rate > 0 && math.Abs(float64(got.Latency.Count)-due) > 5 {
			t.Errorf("%d latencies, %.0f messages were due", got.Latency.Count, due)
		}
		if e.Rate == 0 && got.Latency.Count != int64(got.Messages) {
			t.Errorf("%d latencies of %d messages", got.Latency.Count, got.Messages)
		}
	}
}

func TestAnotherServerEchoesToo(t *testing.T) {
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			return
		}
		for {
			kind, p, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, p) != nil {
				_ = c.CloseNow()
				return
			}
		}
	})
	e := Echo{Options: Options{URL: url, Conns: 10}, InFlight: 4, Size: 1000, Text: true, Duration: measured}
	r := runEcho(t, e)
	noFailures(t, r)
	if r.Echo.Messages == 0 || r.Echo.Unanswered != 0 {
		t.Errorf("%+v", r.Echo)
	}
}

func TestOpenModelLosesNoMessage(t *testing.T) {
	t.Parallel()
	url := serve(t, echoAll)
	const rate, conns = 3000, 7
	e := Echo{Options: Options{URL: url, Conns: conns, Loops: 2}, Rate: rate, InFlight: 3, Duration: time.Second}
	r := runEcho(t, e).Echo
	// All that were due are counted, however late. On a busy machine the loops don't end their seconds together.
	want := rate * r.Measured.Seconds()
	if n := float64(r.Latency.Count); math.Abs(n-want) > want/100 || r.Unanswered != 0 {
		t.Errorf("%v latencies, %d unanswered; %.1f messages were due", n, r.Unanswered, want)
	}
}

// stalled echoes, but for one pause of a second that begins when it is told.
func stalled(t *testing.T, begin <-chan struct{}) (url string) {
	return serve(t, func(c *websocket.Conn) {
		asleep := begin
		for {
			kind, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			select {
			case <-asleep:
				time.Sleep(time.Second)
				asleep = nil
			default:
			}
			if c.WriteMessage(kind, p) != nil {
				return
			}
		}
	})
}

func TestStallIsNotOmitted(t *testing.T) {
	t.Parallel()
	r := calmly(t, func() *Report {
		begin := make(chan struct{})
		e := Echo{Options: Options{URL: stalled(t, begin), Conns: 5}, Rate: 400, Duration: 3 * time.Second}
		once := false
		e.Progress = func(p Progress) {
			if p.Stage == "measure" && p.Elapsed > 500*time.Millisecond && !once {
				once = true
				close(begin)
			}
		}
		return runEcho(t, e)
	}).Echo
	// A third of all messages were due during the stall, so their p99 is near 1 s.
	// Only five, one a connection, left in time to see it.
	if r.Latency.P99 < 800*time.Millisecond || r.Latency.P99 > 1500*time.Millisecond {
		t.Errorf("corrected p99 %v, want about 980 ms", r.Latency.P99)
	}
	if r.Uncorrected == nil || r.Uncorrected.P99 > 300*time.Millisecond || r.Uncorrected.Max < 900*time.Millisecond {
		t.Errorf("uncorrected %+v, want a p99 far below and a max of 1 s", r.Uncorrected)
	}
	if r.Late < 200 {
		t.Errorf("%d late, want about 400", r.Late)
	}
}

// A server that never answers again is in the percentiles of the open model too.
func TestUnansweredCountsWithItsAge(t *testing.T) {
	t.Parallel()
	url := serve(t, func(c *websocket.Conn) {
		for {
			if _, _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	e := Echo{Options: Options{URL: url, Conns: 5}, Rate: 2000, Duration: measured}
	e.Progress = func(p Progress) {
		if p.Stage == "drain" {
			cancel()
		}
	}
	r, err := e.Run(ctx)
	must(t, err)
	// What was due before the measuring began is unanswered too.
	if n := r.Echo.Unanswered; math.Abs(float64(r.Echo.Latency.Count)-2000*r.Echo.Measured.Seconds()) > 10 || n < uint64(r.Echo.Latency.Count) || r.Echo.Latency.P50 < measured/3 {
		t.Errorf("%+v, want all unanswered with their age", r.Echo)
	}
}

// The server sends its answers byte by byte, so that every header and every
// frame comes in parts.
func TestAnswersInPartsAreWhole(t *testing.T) {
	url := rawServer(t, func(c *net.TCPConn) {
		go func() {
			defer c.Close()
			accept(trickle{c})
			for {
				var frame [2 + 4 + 64]byte
				if _, err := readFull(c, frame[:6]); err != nil || frame[0] != 0x82 || frame[1] != 0x80|64 {
					return
				}
				if _, err := readFull(c, frame[6:]); err != nil {
					return
				}
				for i := range 64 {
					frame[6+i] ^= frame[2+i%4]
				}
				_, _ = trickle{c}.Write(append([]byte{0x82, 64}, frame[6:]...))
			}
		}()
	})
	r := runEcho(t, Echo{Options: Options{URL: url, Conns: 4}, Duration: measured})
	noFailures(t, r)
	if r.Echo.Messages < 4 {
		t.Errorf("%d messages, want some", r.Echo.Messages)
	}
}

func TestInterruptedRunReportsWhatWasMeasured(t *testing.T) {
	url := serve(t, echoAll)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := Echo{Options: Options{URL: url, Conns: 10}, Duration: time.Hour}
	e.Progress = func(p Progress) {
		if p.Stage == "measure" && p.Messages > 100 {
			cancel()
		}
	}
	r, err := e.Run(ctx)
	must(t, err)
	if !r.Interrupted || r.Echo == nil || r.Echo.Messages == 0 || r.Echo.Measured > soon {
		t.Errorf("report %+v, want what was measured until the interruption", r.Echo)
	}
	var text strings.Builder
	must(t, r.WriteText(&text))
	if !strings.Contains(text.String(), "interrupted") {
		t.Errorf("report does not say that it was interrupted:\n%s", &text)
	}
}

func TestOptionsAreRefusedWithTheirLimit(t *testing.T) {
	good := Options{URL: "ws://127.0.0.1:9/", Conns: 1}
	with := func(change func(*Echo)) Echo {
		e := Echo{Options: good, Duration: time.Millisecond}
		change(&e)
		return e
	}
	for _, e := range []Echo{
		with(func(e *Echo) { e.URL = "http://127.0.0.1/" }),
		with(func(e *Echo) { e.URL = "ws://user:password@127.0.0.1/" }),
		with(func(e *Echo) { e.URL = "ws:///" }),
		with(func(e *Echo) { e.Conns = 0 }),
		with(func(e *Echo) { e.Size = MinEchoSize(false) - 1 }),
		with(func(e *Echo) { e.Size, e.Text = MinEchoSize(true)-1, true }),
		with(func(e *Echo) { e.InFlight = -1 }),
		with(func(e *Echo) { e.InFlight, e.Size = 32, 1<<20 }),
		with(func(e *Echo) { e.Rate = -1 }),
	} {
		if _, err := e.Run(context.Background()); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: error %v, want one of options", e, err)
		}
	}
}
