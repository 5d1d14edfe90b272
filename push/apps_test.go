package push_test

import (
	"strings"
	"testing"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

func TestAppsShareNothing(t *testing.T) {
	other := push.App{ID: "4", Key: "other-key", Secret: "other-secret"}
	off := push.App{ID: "5", Key: "off-key", Secret: "s", Disabled: true}
	small := push.App{ID: "6", Key: "small-key", Secret: "s", Limits: push.Limits{MaxConns: 1, MaxChannels: 1}}
	r := start(t, push.Options{Apps: []push.App{app, other, off, small}})
	mine := r.subscriber("news")
	theirs := r.dial("/app/other-key?protocol=7")
	theirs.expect(protocol.EventConnected)
	theirs.send(protocol.EventSubscribe, map[string]string{"channel": "news"})
	theirs.expect(protocol.EventSubscribed)
	r.publish(`{"name":"e","channel":"news","data":"mine"}`)
	mine.expect("e")
	theirs.fence()
	if status, _ := r.request("POST", "/apps/4/events", "", `{"name":"e","channel":"news","data":"x"}`); status != 401 {
		t.Errorf("another app's signature is taken: %d", status)
	}
	r.dial("/app/off-key?protocol=7").expectClose(protocol.CodeAppDisabled)
	first := r.dial("/app/small-key?protocol=7")
	first.expect(protocol.EventConnected)
	r.dial("/app/small-key?protocol=7").expectClose(protocol.CodeOverQuota)
	first.send(protocol.EventSubscribe, map[string]string{"channel": "a"})
	first.expect(protocol.EventSubscribed)
	first.send(protocol.EventSubscribe, map[string]string{"channel": "b"})
	first.expect(protocol.EventSubscriptionError)
	first.conn.CloseNow()
	eventually(t, "the place is free again", func() bool {
		p := r.dial("/app/small-key?protocol=7")
		f, err := p.read()
		return err == nil && f.Event == protocol.EventConnected
	})
}

func TestAppsThatCanNotWorkAreRefused(t *testing.T) {
	for _, a := range []push.App{
		{ID: "3", Key: "k", Secret: "s"}, {ID: "4", Key: app.Key, Secret: "s"}, {ID: "4", Key: "k"},
		{ID: "4", Key: "k", Secret: "s", Limits: push.Limits{MaxData: -1}},
		{ID: "4", Key: "k", Secret: "s", Channels: []push.Pattern{{Match: "["}}},
		{ID: "4", Key: "k", Secret: "s", Channels: []push.Pattern{{Match: "a", History: push.Retention{Count: -1}}}},
		{ID: "4", Key: "k", Secret: "s", Webhooks: []push.Webhook{{URL: "ftp://h"}}},
		{ID: "4", Key: "k", Secret: "s", Webhooks: []push.Webhook{{URL: "http://h", Events: []string{"x"}}}},
	} {
		if s, err := push.New(push.Options{Apps: []push.App{app, a}}); err == nil {
			t.Errorf("%+v accepted", a)
			s.Close()
		}
	}
}

func TestBackendsKeepToTheirRate(t *testing.T) {
	a := app
	a.Limits.EventRate = 2
	r := start(t, push.Options{App: a})
	got := map[int]int{}
	for range 5 {
		status, _ := r.request("POST", "/apps/3/events", "", `{"name":"e","channel":"c","data":"x"}`)
		got[status]++
	}
	if got[200] < 2 || got[429] == 0 {
		t.Errorf("answers %v, want two or more 200 and some 429", got)
	}
	e := `{"name":"e","channel":"c","data":"x"}`
	if status, text := r.request("POST", "/apps/3/batch_events", "", `{"batch":[`+e+","+e+","+e+`]}`); status != 413 || !strings.Contains(text, "3 events") || !strings.Contains(text, "2 a second") {
		t.Errorf("a batch that no second has room for: %d %s", status, text)
	}
}

func TestAnswersHaveTheInfoAskedFor(t *testing.T) {
	r := start(t, push.Options{})
	r.connect().enter("presence-room", "a", "{}")
	r.subscriber("news")
	for _, tt := range []struct{ method, path, query, body, want string }{
		{"GET", "/apps/3/channels", "filter_by_prefix=presence-&info=user_count", "", `{"channels":{"presence-room":{"user_count":1}}}`},
		{"POST", "/apps/3/events", "", `{"name":"e","channels":["news","presence-room"],"data":"","info":"subscription_count"}`, `{"channels":{"news":{"subscription_count":1},"presence-room":{"subscription_count":1}}}`},
		{"POST", "/apps/3/batch_events", "", `{"batch":[{"name":"e","channel":"presence-room","data":"","info":"user_count,subscription_count"},{"name":"e","channel":"news","data":""}]}`, `{"batch":[{"subscription_count":1,"user_count":1},{}]}`},
		{"GET", "/apps/3/channels/presence-none/users", "", "", `{"users":[]}`},
	} {
		if status, body := r.request(tt.method, tt.path, tt.query, tt.body); status != 200 || body != tt.want {
			t.Errorf("%s %s %s: %d %s, want %s", tt.method, tt.path, tt.body, status, body, tt.want)
		}
	}
	for _, tt := range []struct{ method, path, query, body string }{
		{"GET", "/apps/3/channels", "info=user_count", ""},
		{"GET", "/apps/3/channels/news", "info=user_count", ""},
		{"GET", "/apps/3/channels/news/users", "", ""},
		{"GET", "/apps/3/channels/news", "info=colour", ""},
		{"POST", "/apps/3/events", "", `{"name":"e","channel":"news","data":"","info":"user_count"}`},
		{"POST", "/apps/3/events", "", `{"name":"e","channels":["private-encrypted-a","news"],"data":""}`},
		{"POST", "/apps/3/events", "", `{"name":"e","channel":"#server-to-user-","data":""}`},
		{"POST", "/apps/3/events", "", `{"name":"e","channel":"#other","data":""}`},
	} {
		if status, body := r.request(tt.method, tt.path, tt.query, tt.body); status != 400 {
			t.Errorf("%s %s %s: %d %s, want 400", tt.method, tt.path, tt.body, status, body)
		}
	}
}
