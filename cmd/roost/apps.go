package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/spf13/pflag"
)

// appLists are the settings that are lists of objects. In a settings file they
// are YAML, on the command line and in the environment JSON. They hold secrets,
// so they are read late, where an error does not quote them.
type appLists struct{ apps, channels, webhooks string }

func (l *appLists) register(f *pflag.FlagSet) {
	f.StringVar(&l.apps, "apps", "", "several apps as a `list` of {id, key, secret, …}, best in the settings file")
	f.StringVar(&l.channels, "channels", "", "a `list` of {match, history: {count, age}, slow: {policy, max_behind}} for the app of --key; the first that matches holds, but presence channels always disconnect the slow")
	f.StringVar(&l.webhooks, "webhooks", "", "a `list` of {url, events, prefix, headers} for the app of --key")
}

// appEntry is one of --apps.
type appEntry struct {
	push.App
	AuthTimeout string `json:"auth_timeout"`
}

// apply completes o. The app of --key is made up unless it, or --apps, is given: made
// says what was made up before.
func (l *appLists) apply(o *push.Options, made kept) error {
	var entries []appEntry
	if err := readList("apps", appsExample, l.apps, &entries); err != nil {
		return err
	}
	for _, e := range entries {
		if e.AuthTimeout != "" {
			d, err := time.ParseDuration(e.AuthTimeout)
			if err != nil || d < 0 {
				return fmt.Errorf("--apps: auth_timeout of app %q is not a duration; write it like 30s", e.ID)
			}
			e.App.AuthTimeout = d
		}
		o.Apps = append(o.Apps, e.App)
	}
	if err := readList("channels", channelsExample, l.channels, &o.App.Channels); err != nil {
		return err
	}
	if err := readList("webhooks", webhooksExample, l.webhooks, &o.App.Webhooks); err != nil {
		return err
	}
	if len(o.Apps) > 0 && o.App.Key == "" && o.App.Secret == "" {
		if l.channels != "" || l.webhooks != "" {
			return fmt.Errorf("--channels and --webhooks are for the app of --key, which is not given: put them below an app in --apps")
		}
		o.App, o.Apps = o.Apps[0], o.Apps[1:]
		return nil
	}
	random := push.RandomApp()
	o.App.Key = cmp.Or(o.App.Key, made.Key, random.Key)
	o.App.Secret = cmp.Or(o.App.Secret, made.Secret, random.Secret)
	return nil
}

// What the lists look like, for whoever wrote one that can't be read.
const (
	appsExample     = `[{"id":"shop","key":"…","secret":"…"}]`
	channelsExample = `[{"match":"orders-*","history":{"count":100,"age":"10m"}}]`
	webhooksExample = `[{"url":"https://example.org/hook","events":["channel_occupied"]}]`
)

// readList reads JSON strictly: a misspelt field must not pass.
func readList[T any](flag, example, text string, into *[]T) error {
	if text == "" {
		return nil
	}
	var entries []json.RawMessage
	if err := json.Unmarshal([]byte(text), &entries); err != nil {
		return fmt.Errorf("--%s is no list: %w; write it like %s", flag, err, example)
	}
	for i, entry := range entries {
		var v T
		d := json.NewDecoder(bytes.NewReader(entry))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			return fmt.Errorf("--%s, entry %d: %s; write it like %s", flag, i+1, strings.TrimPrefix(err.Error(), "json: "), example)
		}
		*into = append(*into, v)
	}
	return nil
}
