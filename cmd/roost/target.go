package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/client"
	"github.com/spf13/pflag"
)

// target says which push server a command talks to and as whom.
type target struct{ addr, appID, key, secret, ca string }

func (t *target) register(f *pflag.FlagSet) {
	f.StringVar(&t.addr, "addr", "", "the server's `host:port` or URL; by default the one that runs on this machine")
	f.StringVar(&t.appID, "app-id", "", "app id, if not the local server's")
	f.StringVar(&t.key, "key", "", "app key, if not the local server's")
	f.StringVar(&t.secret, "secret", "", "app secret, better given as ROOST_SECRET, which other users can't see")
	f.StringVar(&t.ca, "ca", "", "PEM `file` of authorities that may have signed the server's certificate, beside the system's")
}

// http is nil, for the client's own, without --ca.
func (t *target) http() (*http.Client, error) {
	if t.ca == "" {
		return nil, nil
	}
	text, err := os.ReadFile(t.ca)
	if err != nil {
		return nil, usagef("--ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, usagef("--ca %s: holds no certificate: give a PEM file", t.ca)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	return &http.Client{Timeout: publishTime, Transport: transport}, nil
}

// publishTime is as client.Options has it.
const publishTime = 10 * time.Second

// client connects to the server that the flags name. What they leave out comes
// from the credentials that a server of this user left on this machine.
func (t *target) client() (*client.Client, error) {
	var l push.Local
	if t.key == "" {
		if !namesPort(t.addr) {
			return nil, usagef("--addr %q: no host:port; for a server elsewhere give its URL with --app-id, --key and ROOST_SECRET", t.addr)
		}
		var err error
		if l, err = push.FindLocal(t.addr); errors.Is(err, push.ErrNoLocal) {
			if t.addr != "" {
				err = fmt.Errorf("--addr %s: %w", t.addr, err)
			}
			return nil, fmt.Errorf("%w (with --addr, --app-id, --key and --secret)", err)
		} else if err != nil {
			return nil, err
		}
	}
	base := cmp.Or(t.addr, l.URL, "127.0.0.1:8080")
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	web, err := t.http()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Options{
		HTTP:   web,
		URL:    base,
		AppID:  cmp.Or(t.appID, l.AppID),
		Key:    cmp.Or(t.key, l.Key),
		Secret: cmp.Or(t.secret, l.Secret),
	})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// namesPort reports whether a server of this machine can be found by addr.
func namesPort(addr string) bool {
	if addr != "" && !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	u, err := url.Parse(addr)
	return addr == "" || err == nil && u.Port() != ""
}
