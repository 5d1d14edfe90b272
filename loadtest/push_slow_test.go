//go:build unix

package loadtest

import (
	"math"
	"testing"
	"time"
)

func TestPushTellsTheOthersWithAndWithoutSlowReaders(t *testing.T) {
	t.Parallel()
	const pause = 100 * time.Millisecond
	begun := time.Now()
	// The server waits for somebody in the second phase.
	url := servePusher(t, &pusherServer{deliver: func(subscriber, event int, send func()) {
		if subscriber == 0 && event >= 10 {
			time.Sleep(pause)
		}
		send()
	}})
	r, _ := runPush(t, url, 10, Push{Pusher: Pusher{Rate: 8}, Slow: 0.2, Warmup: 250 * time.Millisecond, Duration: time.Second})
	s := r.Slow
	if s == nil || s.Slow != 2 || r.Subscribed != 8 || r.Deliveries != 8*8 || s.Baseline.Count != 8*8 || r.Lost != 0 || s.Disconnected != 0 {
		t.Fatalf("%+v, slow %+v; want 8 events to 8 of 10 in each phase", r, s)
	}
	if r.Latency.P50 < pause || s.Baseline.P50 >= pause {
		t.Errorf("p50 %v, without slow ones %v; want %v more", r.Latency.P50, s.Baseline.P50, pause)
	}
	if ratio := float64(r.Latency.P99) / float64(s.Baseline.P99); math.Abs(s.FastP99Ratio-ratio) > 1e-9 {
		t.Errorf("ratio of p99 %v, want %v", s.FastP99Ratio, ratio)
	}
	if took := time.Since(begun); took < 2500*time.Millisecond {
		t.Errorf("two phases took %v", took)
	}
}

func TestPushWithSlowReadersNeedsNoWarmup(t *testing.T) {
	t.Parallel()
	r, _ := runPush(t, servePusher(t, &pusherServer{}), 4, Push{Pusher: Pusher{Rate: 50}, Slow: 0.25, Duration: 200 * time.Millisecond})
	if r.Slow == nil || r.Published != 10 || r.Slow.Baseline.Count != 30 {
		t.Errorf("%+v, want 10 events in each of two phases", r)
	}
}
