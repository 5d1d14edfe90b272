//go:build unix

package loadtest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func runPush(t *testing.T, url string, conns int, p Push) (*PushReport, *Report) {
	t.Helper()
	p.Options = Options{URL: url, Conns: conns, Loops: 2}
	p.Key, p.Secret, p.AppID = testKey, testSecret, "1"
	if p.Duration == 0 {
		p.Duration = 500 * time.Millisecond
	}
	r := run(t, p)
	if r.Push == nil {
		t.Fatalf("no report; failures %+v", r.Failures)
	}
	return r.Push, r
}

func TestPushCountsLossDuplicatesAndOrderExactly(t *testing.T) {
	t.Parallel()
	var held func()
	url := servePusher(t, &pusherServer{deliver: func(subscriber, event int, send func()) {
		switch {
		case subscriber == 1 && event%10 == 3: // dropped
		case subscriber == 2 && event%10 == 5:
			send()
			send()
		case subscriber == 3 && event%10 == 7:
			held = send
		case subscriber == 3 && event%10 == 8:
			send()
			held()
		default:
			send()
		}
	}})
	r, all := runPush(t, url, 4, Push{Pusher: Pusher{Rate: 200, Publishers: 1}})
	noFailures(t, all)
	if r.Published != 100 || r.Requests != 100 || r.Lost != 10 || r.Duplicates != 10 || r.Reordered != 10 || r.Incomplete != 10 || r.Deliveries != 390 || r.Expected != 400 {
		t.Errorf("%+v, want one of ten of 100 events lost, doubled and reordered each", r)
	}
	if r.Latency.Count != 390 || r.First.Count != 100 || r.Last.Count != 90 || r.Subscribed != 4 {
		t.Errorf("latencies of %d deliveries, %d firsts and %d lasts, %d subscribed", r.Latency.Count, r.First.Count, r.Last.Count, r.Subscribed)
	}
}

func TestPushTellsFirstMedianAndLast(t *testing.T) {
	const pause = 20 * time.Millisecond
	url := servePusher(t, &pusherServer{deliver: func(subscriber, _ int, send func()) {
		if subscriber > 0 {
			time.Sleep(pause)
		}
		send()
	}})
	r, _ := runPush(t, url, 5, Push{Pusher: Pusher{Rate: 10, Private: 1}})
	if r.First.P50 >= pause || r.Median.P50 < 2*pause || r.Last.P50 < 4*pause || r.Last.P50 < r.Median.P50+2*pause {
		t.Errorf("first %v, median %v, last %v; they should be about 0, %v and %v", r.First.P50, r.Median.P50, r.Last.P50, 2*pause, 4*pause)
	}
}

func TestPushHidesNoStall(t *testing.T) {
	t.Parallel()
	const stall = time.Second
	url := servePusher(t, &pusherServer{answer: func(request int) int {
		if request == 20 {
			time.Sleep(stall)
		}
		return http.StatusOK
	}})
	r, _ := runPush(t, url, 2, Push{Pusher: Pusher{Rate: 100, Publishers: 1}, Duration: 1500 * time.Millisecond})
	// While it stalls a hundred events become due; one of them is under way. So two of three wait.
	if r.Latency.P50 < stall/100 || r.Latency.P90 < stall/2 || r.Latency.Max < stall || r.Late < 90 {
		t.Errorf("latency p50 %v, p90 %v, max %v, %d late; a stall of %v is in it", r.Latency.P50, r.Latency.P90, r.Latency.Max, r.Late, stall)
	}
	if r.Uncorrected.P90 > stall/4 || r.Uncorrected.Max < stall || r.Call.Max < stall || r.Lost+r.Duplicates+r.Unpublished > 0 {
		t.Errorf("uncorrected p90 %v, max %v; one event in 150 waited", r.Uncorrected.P90, r.Uncorrected.Max)
	}
}

func TestPushHidesNoServerThatStandsStill(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	url := servePusher(t, &pusherServer{answer: func(request int) int {
		if request == 25 {
			<-over
		}
		return http.StatusOK
	}})
	time.AfterFunc(500*time.Millisecond+drainWait+time.Second, func() { close(over) })
	r, _ := runPush(t, url, 2, Push{Pusher: Pusher{Rate: 100, Publishers: 1}})
	if r.Published != 26 || r.Unpublished != 24 || r.Deliveries != 52 || r.Latency.Count != 100 || r.Latency.P90 < drainWait {
		t.Errorf("%d published, %d not, %d deliveries, latency %+v; want half of 50 events as old as the run's end", r.Published, r.Unpublished, r.Deliveries, r.Latency)
	}
}

func TestPushCountsRefusedPublicationsApartFromLosses(t *testing.T) {
	t.Parallel()
	url := servePusher(t, &pusherServer{answer: func(request int) int {
		if request%10 == 4 {
			return http.StatusTooManyRequests
		}
		return http.StatusOK
	}})
	r, _ := runPush(t, url, 3, Push{Pusher: Pusher{Rate: 400, Channels: 3, Publishers: 1}})
	f := r.PublishFailures
	if len(f) != 1 || f[0].Cause != "publish-status-429" || f[0].Example != `429: "{\"error\":\"no\"}\n"` || f[0].Count != 20 || r.Published != 180 || r.Lost != 0 || r.Expected != 180 || r.Deliveries != 180 {
		t.Errorf("%+v, failures %+v; want 20 of 200 refused, and nothing lost", r, f)
	}
}

func TestPushBatchesWhatIsDueTogether(t *testing.T) {
	t.Parallel()
	s := &pusherServer{answer: func(request int) int {
		if request == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		return http.StatusOK
	}}
	r, _ := runPush(t, servePusher(t, s), 10, Push{Pusher: Pusher{Rate: 1000, Channels: 10, Subscriptions: 2, Publishers: 1, Batch: 8, Zipf: 1}})
	if r.Published != 500 || r.Requests >= 480 || r.Lost+r.Duplicates+r.Reordered != 0 {
		t.Errorf("%+v, want 500 events in fewer requests", r)
	}
}

func TestPushCountsABatchThatBeganInTheWarmup(t *testing.T) {
	t.Parallel()
	s := &pusherServer{answer: func(request int) int {
		if request == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		return http.StatusOK
	}}
	r, _ := runPush(t, servePusher(t, s), 2, Push{Pusher: Pusher{Rate: 1000, Publishers: 1, Batch: 1000}, Warmup: 50 * time.Millisecond, Duration: 100 * time.Millisecond})
	if r.Published != 100 || r.Deliveries != 200 {
		t.Errorf("%d published, %d deliveries; want those of 100 events", r.Published, r.Deliveries)
	}
}

func TestPushPublishesClientEventsToAllButTheSender(t *testing.T) {
	t.Parallel()
	s := &pusherServer{activity: 1}
	r, all := runPush(t, servePusher(t, s), 12, Push{Pusher: Pusher{Rate: 200, Channels: 3, Presence: 0.4, Client: true}, Warmup: 500 * time.Millisecond, Duration: 500 * time.Millisecond})
	noFailures(t, all)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Published != 100 || r.Deliveries != 300 || r.Expected != 600 || r.Lost+r.Duplicates+r.Reordered+r.Incomplete != 0 || r.Subscribed != 9 || s.requests != 0 {
		t.Errorf("%+v, want 100 events, each to the 3 of 4 subscribers that did not send it", r)
	}
	if s.pings == 0 {
		t.Error("nobody pinged, within a run as long as the activity timeout")
	}
}

func TestPushCountsRefusedSubscriptions(t *testing.T) {
	t.Parallel()
	refused := 0
	url := servePusher(t, &pusherServer{subscribe: func(string) bool { refused++; return refused%3 != 0 }})
	r, all := runPush(t, url, 9, Push{Pusher: Pusher{Rate: 100}, Duration: 200 * time.Millisecond})
	if r.Refused != 3 || r.Subscribed != 6 || r.Lost != 0 || r.Deliveries != 6*r.Published || len(all.Failures) != 1 || all.Failures[0].Cause != "subscription-refused-401" ||
		!strings.HasSuffix(all.Failures[0].Example, `: "no\x1b[2J"`) {
		t.Errorf("%+v, failures %+v; want 3 of 9 refused", r, all.Failures)
	}
}

func TestAnInterruptedPushTellsWhatItHas(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	o := Options{URL: servePusher(t, &pusherServer{}), Conns: 2, Progress: func(p Progress) {
		if p.Messages > 20 {
			cancel()
		}
	}}
	r, err := Push{Options: o, Pusher: Pusher{Key: testKey, Secret: testSecret, AppID: "1", Rate: 100}, Duration: time.Hour}.Run(ctx)
	must(t, err)
	if !r.Interrupted || r.Push == nil || r.Push.Published < 10 || r.Push.Deliveries < 20 || r.Push.Lost > 2 || r.Took > soon/2 {
		t.Errorf("%+v", r.Push)
	}
}

func TestEventsThatNobodyPublishedAreCorrupt(t *testing.T) {
	t.Parallel()
	s := &pusherServer{}
	s.deliver = func(subscriber, event int, send func()) {
		if event == 3 {
			for channel, all := range s.channels {
				s.write(all[subscriber], `{"event":"`+eventName+`","channel":"`+channel+`","data":"nonsense"}`)
			}
		}
		send()
	}
	_, all := runPush(t, servePusher(t, s), 2, Push{Pusher: Pusher{Rate: 100}, Duration: 200 * time.Millisecond})
	if len(all.Failures) != 1 || all.Failures[0].Cause != "corrupt" || all.Failures[0].Count != 2 {
		t.Errorf("failures %+v", all.Failures)
	}
}
