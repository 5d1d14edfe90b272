package push_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roost-ws/roost/internal/testio"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// backend takes webhooks, after refusing as many as it is told to.
type backend struct {
	*httptest.Server
	mu       sync.Mutex
	refuse   int
	requests []hookRequest
}

type hookRequest struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func newBackend(t *testing.T, refuse int) *backend {
	b := &backend{refuse: refuse}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.refuse > 0 || err != nil {
			b.refuse--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		headers := map[string]string{}
		for name := range r.Header {
			headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		b.requests = append(b.requests, hookRequest{headers, string(body)})
	}))
	t.Cleanup(b.Close)
	return b
}

// got returns the events so far, each as "name channel rest".
func (b *backend) got() (events []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		var body struct {
			Events []struct {
				Name, Channel, Event, Data string
				SocketID                   string `json:"socket_id"`
				UserID                     string `json:"user_id"`
			}
		}
		if json.Unmarshal([]byte(r.Body), &body) != nil {
			return []string{r.Body}
		}
		for _, e := range body.Events {
			events = append(events, strings.Join(strings.Fields(strings.Join([]string{e.Name, e.Channel, e.Event, e.Data, e.UserID}, " ")), " "))
		}
	}
	return events
}

func (b *backend) expect(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprint(want), func() bool { return slices.Equal(b.got(), want) })
}

func hooked(b *backend) push.App {
	a := app
	a.ClientEvents = true
	a.Webhooks = []push.Webhook{{URL: b.URL, Headers: map[string]string{"X-Own": "yes"}}}
	return a
}

func TestWebhooksTellWhatHappensInOrder(t *testing.T) {
	b := newBackend(t, 0)
	r := start(t, push.Options{App: hooked(b)})
	p := r.connect()
	p.enter("presence-room", "ann", "{}")
	p.ask("cache-a", "")
	p.expect(protocol.EventSubscribed)
	p.expect(protocol.EventCacheMiss)
	p.sendText(`{"event":"client-e","channel":"presence-room","data":"x"}`)
	p.fence()
	p.conn.CloseNow()
	b.expect(t, "channel_occupied presence-room", "member_added presence-room ann", "channel_occupied cache-a", "cache_miss cache-a",
		"client_event presence-room client-e x ann", "member_removed presence-room ann", "channel_vacated presence-room", "channel_vacated cache-a")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, req := range b.requests {
		if req.Headers["x-pusher-key"] != app.Key || req.Headers["x-pusher-signature"] != protocol.SignWebhook(app.Secret, []byte(req.Body)) || req.Headers["x-own"] != "yes" {
			t.Errorf("headers %v", req.Headers)
		}
	}
}

func TestWebhooksAreTriedAgainAndKeepTheirOrder(t *testing.T) {
	b := newBackend(t, 2)
	r := start(t, push.Options{App: hooked(b)})
	p := r.subscriber("a")
	p.send(protocol.EventUnsubscribe, map[string]string{"channel": "a"})
	p.fence()
	b.expect(t, "channel_occupied a", "channel_vacated a")
	if got := r.metric("roost_push_webhook_failures_total"); got != "2" {
		t.Errorf("%s failures counted, want 2", got)
	}
	eventually(t, "both are counted as sent", func() bool { return r.metric("roost_push_webhook_events_total") == "2" })
}

// A channel that was vacated while there were no webhooks is told of when it is
// occupied again.
func TestWebhooksThatComeBackTellOfChannelsThatWereOccupiedBefore(t *testing.T) {
	b := newBackend(t, 0)
	r := start(t, push.Options{App: hooked(b)})
	p := r.subscriber("a")
	b.expect(t, "channel_occupied a")
	r.update(app)
	p.send(protocol.EventUnsubscribe, map[string]string{"channel": "a"})
	p.fence()
	r.update(hooked(b))
	p.ask("a", "")
	p.expect(protocol.EventSubscribed)
	b.expect(t, "channel_occupied a", "channel_occupied a")
}

// What a webhook's URL holds besides its host stays out of the log.
func TestFailedWebhooksAreLoggedWithoutTheSecretsOfTheirURL(t *testing.T) {
	var log testio.Log
	gone := newBackend(t, 0)
	gone.Close() // an error of the client names the URL
	down := newBackend(t, 1000)
	a := app
	for _, host := range []string{gone.Listener.Addr().String(), down.Listener.Addr().String()} {
		a.Webhooks = append(a.Webhooks, push.Webhook{URL: "http://user:s3cret@" + host + "/s3cret?token=s3cret"})
	}
	r := start(t, push.Options{App: a, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	r.subscriber("a")
	for _, w := range []string{gone.Listener.Addr().String(), down.Listener.Addr().String()} {
		eventually(t, "a line about "+w, func() bool { return strings.Contains(log.String(), `"msg":"webhook failed","app":"app 3","host":"`+w) })
	}
	if text := log.String(); strings.Contains(text, "s3cret") {
		t.Errorf("the log holds a secret:\n%s", text)
	}
}

func TestWebhooksAreChosenByNameAndChannel(t *testing.T) {
	b := newBackend(t, 0)
	a := app
	a.Webhooks = []push.Webhook{{URL: b.URL, Events: []string{"channel_vacated"}, Prefix: "x-"}}
	r := start(t, push.Options{App: a})
	p := r.subscriber("x-a", "y-a")
	p.conn.CloseNow()
	b.expect(t, "channel_vacated x-a")
}

func TestManyWebhookEventsShareRequests(t *testing.T) {
	b := newBackend(t, 0)
	r := start(t, push.Options{App: hooked(b)})
	p := r.connect()
	for i := range 150 {
		p.ask(fmt.Sprintf("c-%d", i), "")
	}
	eventually(t, "all events", func() bool { return len(b.got()) == 150 })
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.requests); n > 20 {
		t.Errorf("%d requests for 150 events", n)
	}
}

func TestClosingDoesNotWaitForABackendThatIsDown(t *testing.T) {
	b := newBackend(t, 1000)
	r := start(t, push.Options{App: hooked(b)})
	r.subscriber("a")
	eventually(t, "a first try", func() bool { return r.metric("roost_push_webhook_failures_total") != "0" })
	if err := r.push.Close(); err != nil {
		t.Error(err)
	}
	if got := r.metric("roost_push_webhook_dropped_events_total"); got != "1" {
		t.Errorf("%s events counted as dropped, want 1", got)
	}
}

func TestPusherTakesWebhooksForGenuine(t *testing.T) {
	root := npmRoot(t)
	b := newBackend(t, 0)
	r := start(t, push.Options{App: hooked(b)})
	r.connect().enter("presence-room", "ann", "{}")
	b.expect(t, "channel_occupied presence-room", "member_added presence-room ann")
	b.mu.Lock()
	text, err := json.Marshal(b.requests)
	b.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	cmd := r.node(t, root, "webhook.mjs")
	cmd.Stdin = bytes.NewReader(text)
	out, err := cmd.CombinedOutput()
	if want := `{"name":"channel_occupied","channel":"presence-room"}` + "\n" + `{"name":"member_added","channel":"presence-room","user_id":"ann"}` + "\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s", err, out)
	}
}
