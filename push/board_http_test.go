package push_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
)

// feed is one open dashboard's stream.
type feed struct {
	t    *testing.T
	body *bufio.Scanner
}

func (r *rig) feed(t *testing.T) *feed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	req := r.plain("GET", "/console/stream", "").WithContext(ctx)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if kind := res.Header.Get("Content-Type"); res.StatusCode != 200 || kind != "text/event-stream" {
		t.Fatalf("%s, %s", res.Status, kind)
	}
	body := bufio.NewScanner(res.Body)
	body.Buffer(nil, 1<<20)
	return &feed{t, body}
}

// next returns the data of the next event, "" at the end of the stream.
func (f *feed) next() (event, data string) {
	f.t.Helper()
	for f.body.Scan() {
		name, value, _ := strings.Cut(f.body.Text(), ": ")
		switch name {
		case "event":
			event = value
		case "data":
			data = value
		case "":
			return event, data
		}
	}
	return "", ""
}

type shown struct {
	At            int64
	Conns         int
	Subscriptions int
	Draining      bool
	Nodes         []struct{ Connections int }
	Apps          []struct {
		ID               string
		Largest, Busiest []struct {
			Name  string
			Count int
		}
		Webhooks []struct{ Host string }
	}
}

func (f *feed) sample() (v shown) {
	f.t.Helper()
	event, data := f.next()
	if event != "" || data == "" {
		f.t.Fatalf("event %q with %q, want a sample", event, data)
	}
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		f.t.Fatal(err)
	}
	return v
}

func TestOpenDashboardsSeeTheSameSamples(t *testing.T) {
	t.Parallel()
	hooked := app
	hooked.Webhooks = []push.Webhook{{URL: "https://hooks.example/a-secret-path", Events: []string{"cache_miss"}}}
	r := start(t, push.Options{App: hooked})
	p := r.subscriber("a", "b")
	one, two := r.feed(t), r.feed(t)
	for _, f := range []*feed{one, two} {
		if event, data := f.next(); event != "past" || !strings.HasPrefix(data, "[") {
			t.Fatalf("first event %q with %q, want the past", event, data)
		}
	}
	first := one.sample()
	for second := two.sample(); second.At != first.At; {
		if second.At < first.At {
			second = two.sample()
		} else {
			first = one.sample()
		}
	}
	if first.Conns != 1 || first.Subscriptions != 2 {
		t.Errorf("%+v, want 1 connection and 2 subscriptions", first)
	}
	for end := time.Now().Add(patience); ; {
		r.publish(`{"name":"e","channel":"b","data":""}`)
		p.expect("e")
		v := one.sample()
		if a := v.Apps[0]; len(a.Largest) == 2 && len(a.Busiest) == 1 && a.Busiest[0].Name == "b" && a.Busiest[0].Count > 0 {
			if a.Webhooks[0].Host != "hooks.example" {
				t.Errorf("webhook %+v", a.Webhooks)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("neither the largest nor the busiest channels are right: %+v", v)
		}
	}
	eventually(t, "this node's figures", func() bool { v := one.sample(); return len(v.Nodes) == 1 && v.Nodes[0].Connections == 1 })
	status, text := r.console("GET", "/console/stats", "", "")
	if status != 200 || !strings.Contains(text, `"largest"`) {
		t.Errorf("/console/stats: %d %s", status, text)
	}
	for _, secret := range []string{app.Secret, token, "a-secret-path"} {
		if strings.Contains(text, secret) {
			t.Errorf("/console/stats holds %q", secret)
		}
	}
}

func TestFeedWantsTheTokenAndEndsWithTheServer(t *testing.T) {
	r := start(t, push.Options{})
	for _, path := range []string{"/console/stats", "/console/stream"} {
		if status, _ := r.do(r.plain("GET", path, "")); status != 401 {
			t.Errorf("%s without a token: %d", path, status)
		}
	}
	f := r.feed(t)
	f.next()
	f.sample()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.push.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	for event, data := f.next(); data != ""; event, data = f.next() {
		if event != "" {
			t.Errorf("event %s %s after the drain", event, data)
		}
	}
	if err := f.body.Err(); err != nil {
		t.Errorf("the stream breaks off: %v", err)
	}
}
