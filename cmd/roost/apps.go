package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/spf13/pflag"
)

// appLists are the settings that are lists of objects. In a settings file they
// are YAML, on the command line and in the environment JSON. They hold secrets,
// so they are read late, where an error does not quote them.
type appLists struct {
	apps, channels, webhooks string
	flags                    *pflag.FlagSet // know where the lists come from
}

func (l *appLists) register(f *pflag.FlagSet) {
	l.flags = f
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
	apps := whereSet(l.flags, "apps")
	if err := readList(apps, appsExample, l.apps, &entries); err != nil {
		return err
	}
	for i, e := range entries {
		if e.AuthTimeout != "" {
			d, err := time.ParseDuration(e.AuthTimeout)
			if err != nil || d < 0 {
				return fmt.Errorf("%s, entry %d: auth_timeout of app %q is not a duration; write it like 30s", apps, i+1, e.ID)
			}
			e.App.AuthTimeout = d
		}
		if err := (push.Options{Apps: []push.App{e.App}}).Check(); err != nil {
			return fmt.Errorf("%s, entry %d: %s", apps, i+1, strings.TrimPrefix(err.Error(), "push: "))
		}
		o.Apps = append(o.Apps, e.App)
	}
	if err := readList(whereSet(l.flags, "channels"), channelsExample, l.channels, &o.App.Channels); err != nil {
		return err
	}
	if err := readList(whereSet(l.flags, "webhooks"), webhooksExample, l.webhooks, &o.App.Webhooks); err != nil {
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

// readList reads JSON strictly: a misspelt field must not pass. where is the list's place.
func readList[T any](where, example, text string, into *[]T) error {
	if text == "" {
		return nil
	}
	var entries []json.RawMessage
	if err := json.Unmarshal([]byte(text), &entries); err != nil {
		return fmt.Errorf("%s is no list: %w; write it like %s", where, err, example)
	}
	for i, entry := range entries {
		var v T
		d := json.NewDecoder(bytes.NewReader(entry))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			return fmt.Errorf("%s, entry %d: %s; %swrite it like %s", where, i+1, strings.TrimPrefix(err.Error(), "json: "), fieldMeant(err, reflect.TypeFor[T]()), example)
		}
		*into = append(*into, v)
	}
	return nil
}

// fieldMeant guesses what an unknown field of t should have been: "did you mean client_events? Else ".
func fieldMeant(err error, t reflect.Type) string {
	_, name, unknown := strings.Cut(err.Error(), "unknown field ")
	if near := nearest(strings.Trim(name, `"`), fieldNames(t)); unknown && near != "" {
		return "did you mean " + near + "? Else "
	}
	return ""
}

// fieldNames are those that JSON has for t and what is in it.
func fieldNames(t reflect.Type) (names []string) {
	for t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		if name := f.Tag.Get("json"); name != "" && name != "-" {
			names = append(names, name)
		}
		names = append(names, fieldNames(f.Type)...)
	}
	return names
}
