package push

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// App is one tenant: what backends and clients know each other by, and what is
// theirs. Apps share nothing but the process.
type App struct {
	ID     string `json:"id"`     // in the path of the HTTP API
	Key    string `json:"key"`    // public: clients connect with it
	Secret string `json:"secret"` // signs requests and subscriptions; never logged

	// PreviousSecrets are taken beside Secret while backends change over; webhooks
	// are signed with Secret.
	PreviousSecrets []string `json:"previous_secrets"`

	Disabled           bool          `json:"disabled"`            // turns clients away with 4003 and requests with 403
	ClientEvents       bool          `json:"client_events"`       // clients may send events to private and presence channels
	SubscriptionCounts bool          `json:"subscription_counts"` // subscribers are told how many they are
	AuthTimeout        time.Duration `json:"-"`                   // within which a client must sign in or subscribe with a signature, or is closed with 4009; 0: need not
	Limits             Limits        `json:"limits"`
	Channels           []Pattern     `json:"channels"` // the first that matches holds
	Webhooks           []Webhook     `json:"webhooks"`
}

// String names the app without its secret, whatever verb prints it.
func (a App) String() string { return "app " + a.ID }

// GoString is String, for %#v.
func (a App) GoString() string { return a.String() }

// LogValue is String, for slog.
func (a App) LogValue() slog.Value { return slog.StringValue(a.String()) }

// RandomApp returns an app with a random key (80 bits) and secret (160 bits).
func RandomApp() App {
	return App{ID: "1", Key: randomHex(10), Secret: randomHex(20)}
}

// Pattern says what holds for the channels whose names match.
type Pattern struct {
	Match   string    `json:"match"` // as in path.Match: "chat-*"
	History Retention `json:"history"`
	Trace   bool      `json:"trace"` // events carry the traceparent of their publication
	Slow    Slow      `json:"slow"`
}

// Retention is how much of a channel is kept for those who come later: the last
// Count events that are younger than Age. Nothing is kept when Count is 0.
type Retention struct {
	Count int
	Age   time.Duration // default 5 minutes
}

const defaultAge = 5 * time.Minute

// UnmarshalJSON reads {"count":100,"age":"5m"}.
func (r *Retention) UnmarshalJSON(text []byte) (err error) {
	var in struct {
		Count int    `json:"count"`
		Age   string `json:"age"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return err
	}
	r.Count = in.Count
	if in.Age != "" {
		r.Age, err = time.ParseDuration(in.Age)
	}
	return err
}

// appPart is what may stand in a URL path as it is.
var appPart = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func (a *App) check() error {
	switch {
	case !appPart.MatchString(a.ID):
		return fmt.Errorf("push: app id %q must be 1 to 128 characters out of A-Z a-z 0-9 _ -", a.ID)
	case !appPart.MatchString(a.Key):
		return fmt.Errorf("push: app key %q must be 1 to 128 characters out of A-Z a-z 0-9 _ -", a.Key)
	case a.Secret == "":
		return fmt.Errorf("push: app %s has no secret: set one, best 32 random characters", a.ID)
	}
	if slices.Contains(a.PreviousSecrets, "") {
		return fmt.Errorf("push: app %s: one of its previous secrets is empty: leave it out", a.ID)
	}
	for i := range a.Channels {
		p := &a.Channels[i]
		if _, err := path.Match(p.Match, ""); err != nil || p.Match == "" {
			return fmt.Errorf("push: app %s: channel pattern %q can't be read: write names with * and ?", a.ID, p.Match)
		}
		if err := p.Slow.check(); err != nil {
			return fmt.Errorf("push: app %s: channel pattern %q: %w", a.ID, p.Match, err)
		}
		if h := &p.History; h.Count < 0 || h.Age < 0 {
			return fmt.Errorf("push: app %s: history of %q is %d events and %v: neither may be negative", a.ID, p.Match, h.Count, h.Age)
		} else if h.Age == 0 {
			h.Age = defaultAge
		}
	}
	for _, w := range a.Webhooks {
		if err := w.check(); err != nil {
			return fmt.Errorf("push: app %s: %w", a.ID, err)
		}
	}
	return nil
}

// signed reports whether got is what sign makes with the secret, or with one that
// is being replaced.
func (a *App) signed(got string, sign func(secret string) string) bool {
	return protocol.Equal(got, sign(a.Secret)) ||
		slices.ContainsFunc(a.PreviousSecrets, func(secret string) bool { return protocol.Equal(got, sign(secret)) })
}

// app is an App being served.
type app struct {
	ID, Key string // never change: another key is another app
	cfg     atomic.Pointer[App]

	hub   *hub
	users users
	hooks hooks
	fleet *fleet

	presences presences
	occupancy occupancy
	witness   witness
	conns     atomic.Int64

	published atomic.Int64 // events
	traffic   traffic

	mu     sync.Mutex
	events bucket // of EventRate; under mu
}

func newApp(c *App, s *Server) *app {
	a := &app{
		ID: c.ID, Key: c.Key, users: newUsers(), fleet: s.fleet,
		presences: presences{m: map[string]*members{}}, occupancy: occupancy{m: map[string]struct{}{}},
	}
	a.cfg.Store(c)
	a.hooks.late.after = s.opts.WebhookDelay
	a.hub = newHub(a, s.opts.Bus)
	return a
}

// now is the configuration, which UpdateApps may replace but nobody changes. It
// may be called from any goroutine.
func (a *app) now() *App { return a.cfg.Load() }

// cacheAge is how long the last event of a cache channel is kept.
const cacheAge = 30 * time.Minute

// pattern returns what the app says of a channel.
func (a *app) pattern(channel string) Pattern {
	for _, p := range a.now().Channels {
		if ok, _ := path.Match(p.Match, channel); ok { // patterns are checked when the server is made
			return p
		}
	}
	return Pattern{}
}

// traced reports whether events of a channel carry their trace.
func (a *app) traced(channel string) bool { return a.pattern(channel).Trace }

// retention returns what is kept of a channel.
func (a *app) retention(channel string) Retention {
	r := a.pattern(channel).History
	if r.Count == 0 && protocol.IsCache(channel) {
		return Retention{Count: 1, Age: cacheAge}
	}
	return r
}

// allowEvents is nil when backends may publish n more events now: all or none.
func (a *app) allowEvents(now time.Duration, n int) *httpError {
	rate := a.now().Limits.EventRate
	if rate == 0 {
		return nil
	}
	if n > rate { // trying again would not help
		return httpErrorf(http.StatusRequestEntityTooLarge, "batch has %d events and app %s may publish %d a second: send smaller batches", n, a.ID, rate)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.events.allow(now, time.Second/time.Duration(rate), rate, n) {
		return httpErrorf(http.StatusTooManyRequests, "app %s may publish %d events a second: send fewer", a.ID, rate)
	}
	return nil
}
