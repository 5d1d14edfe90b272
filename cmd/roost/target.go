package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/client"
	"github.com/spf13/pflag"
)

// target says which push server a command talks to and as whom.
type target struct{ addr, appID, key, secret string }

func (t *target) register(f *pflag.FlagSet) {
	f.StringVar(&t.addr, "addr", "", "the server's `host:port` or URL; by default the one that runs on this machine")
	f.StringVar(&t.appID, "app-id", "", "app id, if not the local server's")
	f.StringVar(&t.key, "key", "", "app key, if not the local server's")
	f.StringVar(&t.secret, "secret", "", "app secret, better given as ROOST_SECRET, which other users can't see")
}

// client connects to the server that the flags name. What they leave out comes
// from the credentials that a server of this user left on this machine.
func (t *target) client() (*client.Client, error) {
	var l push.Local
	if t.key == "" {
		var err error
		if l, err = push.FindLocal(t.addr); errors.Is(err, push.ErrNoLocal) {
			return nil, fmt.Errorf("%w (with --addr, --app-id, --key and --secret)", err)
		} else if err != nil {
			return nil, err
		}
	}
	url := cmp.Or(t.addr, l.URL, "127.0.0.1:8080")
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	c, err := client.New(client.Options{
		URL:    url,
		AppID:  cmp.Or(t.appID, l.AppID),
		Key:    cmp.Or(t.key, l.Key),
		Secret: cmp.Or(t.secret, l.Secret),
	})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}
