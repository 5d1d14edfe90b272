package push

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// Webhook is where a backend is told what happens in an app's channels.
type Webhook struct {
	URL     string            `json:"url"`
	Events  []string          `json:"events"`  // of the names below; empty: all
	Prefix  string            `json:"prefix"`  // channels whose name begins with it; empty: all
	Headers map[string]string `json:"headers"` // beside the protocol's own
}

// Names of webhook events.
const (
	hookOccupied    = "channel_occupied"
	hookVacated     = "channel_vacated"
	hookAdded       = "member_added"
	hookRemoved     = "member_removed"
	hookClientEvent = "client_event"
	hookCacheMiss   = "cache_miss"
)

const (
	hookQueue   = 10000                  // events that wait for one URL
	hookBatch   = 100                    // events in one request
	hookWindow  = 100 * time.Millisecond // in which events are gathered
	hookTimeout = 10 * time.Second       // of one request
	hookBackoff = 500 * time.Millisecond // before the second try; doubles
	hookGiveUp  = 5 * time.Minute        // since the first try (Pusher's figure)
	hookLongest = time.Minute            // wait between two tries
)

func (w *Webhook) check() error {
	u, err := url.Parse(w.URL)
	if err != nil {
		return fmt.Errorf("webhook URL can't be read: %w: write http:// or https:// and a host", withoutURL(err))
	}
	if u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		u.User, u.RawQuery = nil, "" // where secrets are
		return fmt.Errorf("webhook URL %q is not http:// or https:// and a host", u)
	}
	known := []string{hookOccupied, hookVacated, hookAdded, hookRemoved, hookClientEvent, hookCacheMiss}
	for _, name := range w.Events {
		if !slices.Contains(known, name) {
			return fmt.Errorf("webhook event %q is not known: choose of %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// host is what logs and the dashboard have of the URL: user, path and query may be secret.
func (w *Webhook) host() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return "" // not with what check lets in
	}
	return u.Host
}

// hookEvent is one event in a webhook's body.
type hookEvent struct {
	Name     string `json:"name"`
	Channel  string `json:"channel"`
	Event    string `json:"event,omitempty"`
	Data     string `json:"data,omitempty"`
	SocketID string `json:"socket_id,omitempty"`
	UserID   string `json:"user_id,omitempty"`
}

// hooks are the webhooks of an app. The zero value has none.
type hooks struct {
	endpoints atomic.Pointer[[]*endpoint]
	late      delayed
}

func (h *hooks) any() bool { return len(h.list()) > 0 }

// update makes the endpoints those of a. One that stays as it is keeps what waits.
func (h *hooks) update(a *app, counts *counters, log *slog.Logger) {
	before := h.list()
	var list []*endpoint
	for _, w := range a.now().Webhooks {
		if i := slices.IndexFunc(before, func(p *endpoint) bool { return reflect.DeepEqual(p.Webhook, w) }); i >= 0 {
			list = append(list, before[i])
			before = slices.Delete(slices.Clone(before), i, i+1)
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		p := &endpoint{
			Webhook: w, app: a, counts: counts, log: log, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
			client: &http.Client{Timeout: hookTimeout, Transport: http.DefaultTransport.(*http.Transport).Clone(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		}
		list = append(list, p)
		go p.run(ctx)
	}
	h.endpoints.Store(&list)
	if len(list) == 0 {
		a.occupancy.forget()
	}
	end(before)
}

// list may be called from any goroutine.
func (h *hooks) list() []*endpoint {
	if list := h.endpoints.Load(); list != nil {
		return *list
	}
	return nil
}

// stop gives up what waits, and returns when nothing runs any more.
func (h *hooks) stop() { end(h.list()) }

func end(list []*endpoint) {
	for _, p := range list {
		p.cancel()
	}
	for _, p := range list {
		<-p.done
		p.client.CloseIdleConnections()
	}
}

// add queues e and never blocks: it is called under locks.
func (h *hooks) add(e hookEvent) {
	if _, own := protocol.UserOf(e.Channel); own {
		return
	}
	for _, p := range h.list() {
		if strings.HasPrefix(e.Channel, p.Prefix) && (len(p.Events) == 0 || slices.Contains(p.Events, e.Name)) {
			p.add(e)
		}
	}
}
