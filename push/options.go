package push

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// randomHex can't fail: crypto/rand.Read ends the process when the system has no
// randomness.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Options are a Server's. Zero values mean the defaults; sizes are in bytes.
type Options struct {
	App    App    // the console's, and Publish's; may be left out when Apps is given
	Apps   []App  // further ones
	Limits Limits // of the apps that have none of their own

	ActivityTimeout time.Duration // silence after which either side pings; default 120 s, as the protocol recommends
	PongTimeout     time.Duration // silence beyond that which ends a connection; default 30 s
	MaxMessage      int           // of one message from a client; default 10 KiB

	AllowedOrigins []string // of browsers that may connect, as "https://example.com"; empty: any
	Hosts          []string // names under which the console may be opened, beside localhost and IP addresses
	Token          string   // of the console, at least 16 characters; empty: a random one

	// WebhookDelay is how long channel_vacated and member_removed wait, and are not
	// sent when the channel or the member is back; default 3 s, negative: not at all.
	WebhookDelay time.Duration
	Version      string // that the other servers of a fleet are shown

	fleetTick time.Duration // shorter in tests

	// How Drain sends clients elsewhere: DrainDelay after /readyz began to fail, so
	// that a load balancer can notice, DrainRate connections a second are closed; 0
	// is as many as it takes to be done in DrainWindow, default 5 s, and 100 at
	// least. Clients that know how are told to come back spread over what is left
	// of the window, as are those who are sent back because events were lost.
	DrainDelay, DrainWindow time.Duration
	DrainRate               int

	Tracer trace.TracerProvider // makes spans of publications; nil: none, but traces go through

	Bus    Bus          // default: a MemoryBus of its own
	Logger *slog.Logger // default: slog.Default
}

const minToken = 16

// Check returns the error that New would return for o, but for that of joining the
// bus.
func (o Options) Check() error { return o.fill() }

func (o *Options) fill() error {
	if err := o.fillApps(); err != nil {
		return err
	}
	if o.Token != "" && len(o.Token) < minToken {
		return fmt.Errorf("push: the console's token has %d characters and needs %d: lengthen it, or leave it out for a random one", len(o.Token), minToken)
	}
	o.ActivityTimeout = cmp.Or(o.ActivityTimeout, 120*time.Second)
	o.PongTimeout = cmp.Or(o.PongTimeout, 30*time.Second)
	o.WebhookDelay = max(0, cmp.Or(o.WebhookDelay, 3*time.Second))
	o.fleetTick = cmp.Or(o.fleetTick, fleetTick)
	o.MaxMessage = cmp.Or(o.MaxMessage, 10<<10)
	if o.ActivityTimeout < time.Second || o.PongTimeout < time.Second {
		return fmt.Errorf("push: activity timeout %v and pong timeout %v must be 1 s or more: clients count in seconds", o.ActivityTimeout, o.PongTimeout)
	}
	o.DrainWindow = cmp.Or(o.DrainWindow, 5*time.Second)
	if o.MaxMessage < 0 || o.DrainRate < 0 || o.DrainDelay < 0 || o.DrainWindow < 0 {
		return fmt.Errorf("push: MaxMessage %d, DrainRate %d, DrainDelay %v and DrainWindow %v must not be negative", o.MaxMessage, o.DrainRate, o.DrainDelay, o.DrainWindow)
	}
	if err := o.Limits.fill(); err != nil {
		return err
	}
	if err := checkOrigins(o.AllowedOrigins); err != nil {
		return err
	}
	if o.Token == "" {
		o.Token = randomHex(20)
	}
	if o.Bus == nil {
		o.Bus = NewMemoryBus()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

// checkOrigins refuses what no browser sends (RFC 6454): it would keep everybody
// out.
func checkOrigins(origins []string) error {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || origin != strings.ToLower(u.Scheme+"://"+u.Host) || strings.Contains(origin, "*") {
			return fmt.Errorf("push: allowed origin %q is no origin: write it like https://example.com, in lower case and without a path, or leave origins out to allow any", origin)
		}
	}
	return nil
}

// fillApps makes App the first of Apps, or the other way round, and checks them.
func (o *Options) fillApps() error {
	if o.App.ID != "" || len(o.Apps) == 0 {
		o.Apps = append([]App{o.App}, o.Apps...)
	}
	o.Apps = slices.Clone(o.Apps)
	ids, keys := map[string]bool{}, map[string]bool{}
	for i := range o.Apps {
		a := &o.Apps[i]
		if err := a.check(); err != nil {
			return err
		}
		limits := a.Limits
		if err := limits.fill(); err != nil {
			return fmt.Errorf("%w, in app %s", err, a.ID)
		}
		if ids[a.ID] || keys[a.Key] {
			return fmt.Errorf("push: app id %q or its key is there twice: give each app its own", a.ID)
		}
		ids[a.ID], keys[a.Key] = true, true
	}
	o.App = o.Apps[0]
	return nil
}
