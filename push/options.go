package push

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// App is what backends and clients know each other by.
type App struct {
	ID     string // in the path of the HTTP API
	Key    string // public: clients connect with it
	Secret string // signs requests and subscriptions; never logged
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

// randomHex can't fail: crypto/rand.Read ends the process when the system has no
// randomness.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Options are a Server's. Zero values mean the defaults; sizes are in bytes.
type Options struct {
	App App // required

	ActivityTimeout time.Duration // silence after which either side pings; default 120 s, as the protocol recommends
	PongTimeout     time.Duration // silence beyond that which ends a connection; default 30 s
	MaxMessage      int           // of one message from a client; default 10 KiB
	MaxData         int           // of one published event; default 10 KiB
	MaxChannels     int           // that one connection may be subscribed to; default 256
	MessageRate     int           // messages a second from one connection, lasting; default 50
	MessageBurst    int           // messages at once from one connection; default 512

	AllowedOrigins []string // of browsers that may connect, as "https://example.com"; empty: any
	Hosts          []string // names under which the console may be opened, beside localhost and IP addresses
	Token          string   // of the console, at least 16 characters; empty: a random one

	DrainRate int // connections closed a second by Drain; 0: all at once

	Bus    Bus          // default: a MemoryBus of its own
	Logger *slog.Logger // default: slog.Default
}

// appPart is what may stand in a URL path as it is.
var appPart = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

const minToken = 16

func (o *Options) fill() error {
	switch {
	case !appPart.MatchString(o.App.ID):
		return fmt.Errorf("push: app id %q must be 1 to 128 characters out of A-Z a-z 0-9 _ -", o.App.ID)
	case !appPart.MatchString(o.App.Key):
		return fmt.Errorf("push: app key %q must be 1 to 128 characters out of A-Z a-z 0-9 _ -", o.App.Key)
	case o.App.Secret == "":
		return fmt.Errorf("push: app %s has no secret: set one, best 32 random characters", o.App.ID)
	case o.Token != "" && len(o.Token) < minToken:
		return fmt.Errorf("push: the console's token has %d characters and needs %d: lengthen it, or leave it out for a random one", len(o.Token), minToken)
	}
	o.ActivityTimeout = cmp.Or(o.ActivityTimeout, 120*time.Second)
	o.PongTimeout = cmp.Or(o.PongTimeout, 30*time.Second)
	o.MaxMessage = cmp.Or(o.MaxMessage, 10<<10)
	o.MaxData = cmp.Or(o.MaxData, 10<<10)
	o.MaxChannels = cmp.Or(o.MaxChannels, 256)
	o.MessageRate = cmp.Or(o.MessageRate, 50)
	o.MessageBurst = cmp.Or(o.MessageBurst, 512)
	if o.ActivityTimeout < time.Second || o.PongTimeout < time.Second {
		return fmt.Errorf("push: activity timeout %v and pong timeout %v must be 1 s or more: clients count in seconds", o.ActivityTimeout, o.PongTimeout)
	}
	for name, v := range map[string]int{
		"MaxMessage": o.MaxMessage, "MaxData": o.MaxData, "MaxChannels": o.MaxChannels,
		"MessageRate": o.MessageRate, "MessageBurst": o.MessageBurst, "DrainRate": o.DrainRate,
	} {
		if v < 0 {
			return fmt.Errorf("push: %s is %d and must not be negative", name, v)
		}
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
