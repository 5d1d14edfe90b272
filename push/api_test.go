package push_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

func TestRequestsMustBeSigned(t *testing.T) {
	r := start(t, push.Options{})
	body := `{"name":"e","channel":"c","data":"x"}`
	resign := func(q url.Values) {
		q.Set("auth_signature", protocol.SignRequest(app.Secret, "POST", "/apps/3/events", q))
	}
	at := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
	tests := []struct {
		name   string
		change func(q url.Values)
		status int
	}{
		{"as it should be", func(url.Values) {}, 200},
		{"no signature", func(q url.Values) { q.Del("auth_signature") }, 401},
		{"wrong signature", func(q url.Values) { q.Set("auth_signature", strings.Repeat("0", 64)) }, 401},
		{"signature in capitals", func(q url.Values) { q.Set("auth_signature", strings.ToUpper(q.Get("auth_signature"))) }, 401},
		{"wrong key", func(q url.Values) { q.Set("auth_key", "x"); resign(q) }, 401},
		{"wrong version", func(q url.Values) { q.Set("auth_version", "2.0"); resign(q) }, 401},
		{"9 minutes ago", func(q url.Values) { q.Set("auth_timestamp", at(-9*time.Minute)); resign(q) }, 200},
		{"11 minutes ago", func(q url.Values) { q.Set("auth_timestamp", at(-11*time.Minute)); resign(q) }, 401},
		{"in 11 minutes", func(q url.Values) { q.Set("auth_timestamp", at(11*time.Minute)); resign(q) }, 401},
		{"at the end of time", func(q url.Values) { q.Set("auth_timestamp", "-9223372036854775808"); resign(q) }, 401},
		{"without time", func(q url.Values) { q.Del("auth_timestamp"); resign(q) }, 401},
		{"another parameter, unsigned", func(q url.Values) { q.Set("info", "subscription_count") }, 401},
		{"another parameter, signed", func(q url.Values) { q.Set("Info", "a b"); resign(q) }, 200},
		{"digest of another body", func(q url.Values) { q.Set("body_md5", protocol.BodyMD5([]byte("x"))); resign(q) }, 401},
		{"no digest", func(q url.Values) { q.Del("body_md5"); resign(q) }, 401},
		{"a parameter twice", func(q url.Values) { q.Add("auth_key", "x"); resign(q) }, 400},
		{"two parameters in one", func(q url.Values) { q.Set("a", "1&b=2"); resign(q) }, 400},
	}
	for _, tt := range tests {
		req := r.signed("POST", "/apps/3/events", url.Values{}, body)
		q := req.URL.Query()
		tt.change(q)
		req.URL.RawQuery = q.Encode()
		if status, text := r.do(req); status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.name, status, text, tt.status)
		} else if strings.Contains(text, app.Secret) {
			t.Errorf("%s: the answer holds the secret: %s", tt.name, text)
		}
	}
}

func TestSignatureIsOfThatMethodPathAndBody(t *testing.T) {
	r := start(t, push.Options{})
	body := `{"name":"e","channel":"c","data":"x"}`
	query := r.signed("POST", "/apps/3/events", url.Values{}, body).URL.RawQuery
	for _, req := range []*http.Request{
		r.plain("POST", "/apps/3/batch_events?"+query, body),
		r.plain("GET", "/apps/3/channels?"+query, ""),
		r.plain("POST", "/apps/3/events?"+query, strings.Replace(body, "x", "y", 1)),
	} {
		if status, text := r.do(req); status != http.StatusUnauthorized {
			t.Errorf("%s %s: %d %s", req.Method, req.URL.Path, status, text)
		}
	}
}

func TestEventsThatBreakALimitAreRefusedWithItsName(t *testing.T) {
	r := start(t, push.Options{Limits: push.Limits{MaxData: 100}})
	channels := func(n int) string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf(`"c%d"`, i)
		}
		return strings.Join(names, ",")
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		body   string
		status int
		says   string
	}{
		{`{"name":"e","channels":["c"],"data":"` + long(100) + `"}`, 200, ""},
		{`{"name":"e","channels":["c"],"data":"` + long(101) + `"}`, 413, "100"},
		{`{"name":"e","channels":["c"],"data":"` + long(70_000) + `"}`, 413, "body"},
		{`{"name":"` + long(200) + `","channels":["c"],"data":""}`, 200, ""},
		{`{"name":"` + long(201) + `","channels":["c"],"data":""}`, 400, "200"},
		{`{"name":"","channels":["c"],"data":""}`, 400, "name"},
		{`{"name":"pusher:x","channels":["c"],"data":""}`, 400, "reserved"},
		{`{"name":"e","channels":[` + channels(100) + `],"data":""}`, 200, ""},
		{`{"name":"e","channels":[` + channels(101) + `],"data":""}`, 400, "100"},
		{`{"name":"e","channels":[],"data":""}`, 400, "channels"},
		{`{"name":"e","channels":["a b"],"data":""}`, 400, "a b"},
		{`{"name":"e","channels":["c"]}`, 400, "data"},
		{`{"name":"e","channels":["c"],"data":"","socket_id":"x"}`, 400, "socket_id"},
		{`{"name":"e","channels":["c"],"data":"","info":"user_count"}`, 400, "user_count"},
		{`{"name":"e","channels":["c"],"data":{"n":1}}`, 200, ""},
		{`{"name":7}`, 400, "body"},
		{`x`, 400, "body"},
		{``, 400, "body"},
	}
	for _, tt := range tests {
		status, text := r.request("POST", "/apps/3/events", "", tt.body)
		var answer struct{ Error string }
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != tt.status || !strings.Contains(answer.Error, tt.says) {
			t.Errorf("%.60s: %d %s, want %d and %q", tt.body, status, text, tt.status, tt.says)
		}
	}
}

// narrow is a bus that takes no event.
type narrow struct{ push.Bus }

func (narrow) Publish(context.Context, *push.Event) error {
	return &push.TooLargeError{Size: 2000, Most: 1000}
}

// Nobody is told to try again what can't help.
func TestAnEventTooLargeForTheBusIsRefusedWithItsLimit(t *testing.T) {
	r := start(t, push.Options{Bus: narrow{push.NewMemoryBus()}})
	status, text := r.request("POST", "/apps/3/events", "", `{"name":"e","channel":"c","data":"x"}`)
	if status != http.StatusRequestEntityTooLarge || !strings.Contains(text, "2000") || !strings.Contains(text, "1000") || strings.Contains(text, "again") {
		t.Errorf("%d %s", status, text)
	}
}

func TestDataReachesSubscribersAsAString(t *testing.T) {
	r := start(t, push.Options{})
	p := r.subscriber("c")
	for data, want := range map[string]string{
		`"plain"`: "plain", `"{\"a\":1}"`: `{"a":1}`, `{"a": 1}`: `{"a": 1}`, `7`: "7",
		`"\u0001 \" \\ é 😀 \ud800 <b>"`: "\x01 \" \\ é 😀 \uFFFD <b>",
	} {
		r.publish(`{"name":"e\"","channel":"c","data":` + data + `}`)
		f := p.expect(`e"`)
		if got, err := protocol.DataString(f.Data); err != nil || got != want || f.Data[0] != '"' {
			t.Errorf("data %s came as %s (%v)", data, f.Data, err)
		}
	}
}

func TestBatchIsPublishedWholeOrNotAtAll(t *testing.T) {
	r := start(t, push.Options{})
	p := r.subscriber("a", "b")
	event := func(name, channel string) string {
		return fmt.Sprintf(`{"name":%q,"channel":%q,"data":"x"}`, name, channel)
	}
	batch := func(events ...string) (int, string) {
		return r.request("POST", "/apps/3/batch_events", "", `{"batch":[`+strings.Join(events, ",")+`]}`)
	}
	if status, text := batch(event("one", "a"), event("two", "not good")); status != 400 || !strings.Contains(text, "event 1") {
		t.Errorf("%d %s", status, text)
	}
	p.fence()
	if status, text := batch(event("one", "a"), event("two", "b")); status != 200 || text != "{}" {
		t.Errorf("%d %s", status, text)
	}
	p.expect("one")
	p.expect("two")
	for _, n := range []int{0, 11} {
		events := make([]string, n)
		for i := range events {
			events[i] = event("e", "a")
		}
		if status, text := batch(events...); status != 400 {
			t.Errorf("batch of %d: %d %s", n, status, text)
		}
	}
}

func TestChannelsCanBeAskedFor(t *testing.T) {
	r := start(t, push.Options{})
	r.subscriber("a1", "b=@,.;-_")
	r.subscriber("a1", "a2")
	tests := []struct {
		path, query string
		status      int
		want        string
	}{
		{"/apps/3/channels", "", 200, `{"channels":{"a1":{},"a2":{},"b=@,.;-_":{}}}`},
		{"/apps/3/channels", "filter_by_prefix=a&info=subscription_count", 200, `{"channels":{"a1":{"subscription_count":2},"a2":{"subscription_count":1}}}`},
		{"/apps/3/channels", "info=user_count", 400, ""},
		{"/apps/3/channels/a1", "", 200, `{"occupied":true}`},
		{"/apps/3/channels/a1", "info=subscription_count", 200, `{"occupied":true,"subscription_count":2}`},
		{"/apps/3/channels/b=@,.;-_", "", 200, `{"occupied":true}`},
		{"/apps/3/channels/none", "info=subscription_count", 200, `{"occupied":false,"subscription_count":0}`},
		{"/apps/3/channels/a%20b", "", 400, ""},
		{"/apps/4/channels", "", 404, ""},
	}
	for _, tt := range tests {
		if status, text := r.request("GET", tt.path, tt.query, ""); status != tt.status || tt.want != "" && text != tt.want {
			t.Errorf("%s?%s: %d %s, want %d %s", tt.path, tt.query, status, text, tt.status, tt.want)
		}
	}
	if status, text := r.request("POST", "/apps/3/events", "", `{"name":"e","channels":["a1","x"],"data":"","info":"subscription_count"}`); status != 200 ||
		text != `{"channels":{"a1":{"subscription_count":2},"x":{"subscription_count":0}}}` {
		t.Errorf("info of an event: %d %s", status, text)
	}
}

func TestWrongMethodsAndPathsSayWhatIsRight(t *testing.T) {
	r := start(t, push.Options{})
	tests := []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/apps/3/events", 405, "POST"}, {"DELETE", "/apps/3/channels", 405, "GET"}, {"POST", "/", 405, "GET"},
		{"GET", "/nothing", 404, "/nothing"}, {"GET", "/apps/3", 404, "/apps/"}, {"GET", "/app/" + app.Key, 426, "ws://"},
		{"GET", "/console/publish", 405, "POST"},
	}
	for _, tt := range tests {
		if status, text := r.do(r.plain(tt.method, tt.path, "")); status != tt.status || !strings.Contains(text, tt.says) {
			t.Errorf("%s %s: %d %s, want %d and %q", tt.method, tt.path, status, text, tt.status, tt.says)
		}
	}
}
