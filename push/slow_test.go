package push_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// Who does not read is told to come back and resume, and nobody waits for it.
func TestSlowSubscribersAreToldToComeBack(t *testing.T) {
	t.Parallel()
	r := start(t, push.Options{Limits: push.Limits{MaxData: 64 << 10}})
	sleeper, reader := r.subscriber("news"), r.subscriber("news")
	data := strings.Repeat("x", 30<<10)
	for range 400 { // 12 MB: more than the kernel keeps, and 1 MiB
		if err := r.push.Publish(context.Background(), push.Event{Channels: []string{"news"}, Name: "e", Data: data}); err != nil {
			t.Fatal(err)
		}
		reader.expect("e")
	}
	for {
		if _, err := sleeper.read(); err != nil {
			if code := websocket.CloseStatus(err); code != protocol.CodeTooSlow {
				t.Errorf("closed with %d: %v", code, err)
			}
			break
		}
	}
	eventually(t, "the slow one is counted", func() bool { return r.metric("roost_push_slow_disconnected_total") == "1" })
}

func TestSlowPoliciesAreChecked(t *testing.T) {
	for _, s := range []push.Slow{{Policy: "drop"}, {MaxBehind: -1}} {
		a := app
		a.Channels = []push.Pattern{{Match: "*", Slow: s}}
		if _, err := push.New(push.Options{App: a}); err == nil {
			t.Errorf("%+v is good", s)
		}
	}
}

// A channel that conflates leaves a slow subscriber the latest event, and its
// connection.
func TestConflatedChannelsKeepTheLatest(t *testing.T) {
	t.Parallel()
	a := app
	a.Channels = []push.Pattern{{Match: "price-*", Slow: push.Slow{Policy: "conflate"}}}
	r := start(t, push.Options{App: a, Limits: push.Limits{MaxData: 64 << 10}})
	sleeper, reader := r.subscriber("price-1"), r.subscriber("price-1")
	data := strings.Repeat("x", 30<<10)
	for range 400 { // 12 MB: more than the kernel keeps
		if err := r.push.Publish(context.Background(), push.Event{Channels: []string{"price-1"}, Name: "e", Data: data}); err != nil {
			t.Fatal(err)
		}
		reader.expect("e")
	}
	if err := r.push.Publish(context.Background(), push.Event{Channels: []string{"price-1"}, Name: "last", Data: "end"}); err != nil {
		t.Fatal(err)
	}
	got := 0
	for {
		f, err := sleeper.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Event == "last" {
			break
		}
		got++
	}
	if got >= 400 {
		t.Error("nothing was conflated")
	}
}

// Whoever misses that a member went would show it for ever: a presence channel drops
// nothing, whatever its pattern says.
func TestPresenceChannelsDisconnectSlowMembers(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"drop_oldest", "drop_newest", "conflate"} {
		a := app
		a.Channels = []push.Pattern{{Match: "*", Slow: push.Slow{Policy: policy}}}
		r := start(t, push.Options{App: a, Limits: push.Limits{MaxData: 64 << 10}})
		sleeper, reader := r.connect(), r.connect()
		sleeper.enter("presence-room", "sleeper", "{}")
		reader.enter("presence-room", "reader", "{}")
		e := push.Event{Channels: []string{"presence-room"}, Name: "e", Data: strings.Repeat("x", 30<<10)}
		for range 400 { // 12 MB: more than the kernel keeps, and 1 MiB
			if err := r.push.Publish(context.Background(), e); err != nil {
				t.Fatal(err)
			}
			if !reader.until("e", "") {
				t.FailNow()
			}
		}
		for {
			if _, err := sleeper.read(); err != nil {
				if code := websocket.CloseStatus(err); code != protocol.CodeTooSlow {
					t.Errorf("%s: closed with %d: %v", policy, code, err)
				}
				break
			}
		}
	}
}

// What a policy costs its slow subscribers is counted by its name, for Prometheus and
// on the dashboard; the connection stays.
func TestEachSlowPolicyIsCountedByItsName(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"drop_oldest", "drop_newest", "conflate"} {
		t.Run(policy, func(t *testing.T) {
			a := app
			a.Channels = []push.Pattern{{Match: "*", Slow: push.Slow{Policy: policy, MaxBehind: 100 << 10}}}
			r := start(t, push.Options{App: a})
			r.subscriber("a")
			reader := r.subscriber("a")
			e := push.Event{Channels: []string{"a"}, Name: "e", Data: strings.Repeat("x", 10<<10)}
			name := `roost_push_slow_dropped_events_total{policy="` + policy + `"}`
			eventually(t, "events are dropped", func() bool {
				for range 50 {
					if err := r.push.Publish(context.Background(), e); err != nil {
						t.Fatal(err)
					}
					reader.expect("e")
				}
				return r.metric(name) != "0"
			})
			for _, other := range []string{"drop_oldest", "drop_newest", "conflate"} {
				if n := r.metric(`roost_push_slow_dropped_events_total{policy="` + other + `"}`); other != policy && n != "0" {
					t.Errorf("%s of %s", n, other)
				}
			}
			eventually(t, "the dashboard says so", func() bool {
				var v struct {
					Slow []struct {
						Policy string
						Count  int
					}
				}
				if _, text := r.console("GET", "/console/stats", "", ""); json.Unmarshal([]byte(text), &v) != nil {
					return false
				}
				for _, s := range v.Slow {
					if s.Policy == policy {
						return s.Count > 0
					}
				}
				return false
			})
			if n := r.metric("roost_push_slow_disconnected_total"); n != "0" {
				t.Errorf("%s connections closed", n)
			}
		})
	}
}
