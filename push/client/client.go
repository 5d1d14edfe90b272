// Package client publishes to and subscribes at a push server, over its signed
// HTTP API and over Pusher Channels protocol 7. The commands roost pub and roost
// sub call it, and any Go backend may. It works against every server of that
// protocol; it never serves, and never writes a secret to a log or an error.
package client

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options says where the server is and who asks.
type Options struct {
	URL        string        // http:// or https:// and host:port, perhaps a path that the server hangs under
	AppID      string        // Publish only
	Key        string        // always
	Secret     string        // Publish, and subscriptions to private channels
	HTTP       *http.Client  // default: 10 s for a publish, no limit for a WebSocket
	MinBackoff time.Duration // first wait before connecting again; default 1 s, as the protocol asks
	MaxBackoff time.Duration // longest such wait; default 30 s
	MaxMessage int64         // most bytes of one message from the server; a longer one ends the connection; default 16 MiB
}

// Client is a publisher and subscriber. It is safe for use by several goroutines
// and holds nothing that must be closed.
type Client struct {
	opts Options
	base *url.URL
	http *http.Client
}

// New checks the options and returns a client; nothing is dialled yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("client: URL %q is not http://host:port or https://host:port", o.URL)
	}
	if o.Key == "" {
		return nil, errors.New("client: no app key: give the key that the server was started with")
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	base.RawQuery, base.Fragment, base.User = "", "", nil
	if o.MaxMessage < 0 {
		return nil, fmt.Errorf("client: MaxMessage is %d bytes and must not be negative: leave it 0 for 16 MiB", o.MaxMessage)
	}
	o.MaxMessage = cmp.Or(o.MaxMessage, 16<<20) // an event on the embedded bus has 8 MiB at most, escapes included
	o.MinBackoff = cmp.Or(o.MinBackoff, time.Second)
	o.MaxBackoff = max(cmp.Or(o.MaxBackoff, 30*time.Second), o.MinBackoff)
	c := &Client{opts: o, base: base, http: o.HTTP}
	if c.http == nil {
		c.http = &http.Client{Timeout: 10 * time.Second}
	}
	return c, nil
}
