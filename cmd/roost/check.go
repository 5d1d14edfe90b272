package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/roost-ws/roost/engine"
	"github.com/spf13/pflag"
)

// check finds what would keep serve from starting, but for what only the moment
// tells: whether the port is free and the bus can be reached.
func (s *serveCommand) check() error {
	if err := s.complete(kept{}); err != nil {
		return err
	}
	if err := errors.Join(s.tls.check(), s.bus.check()); err != nil {
		return usageError{err}
	}
	o := s.listen
	o.Addr, o.NoServer = "", true
	sockets, err := engine.NewServer(o)
	if err != nil {
		return usageError{err}
	}
	return sockets.Shutdown(context.Background())
}

const masked = "********************" // long enough for what it stands for

// printSettings writes what holds after flags, environment and file, as YAML. What
// is secret is masked; what was not given, and is made up, is left out.
func printSettings(w io.Writer, f *pflag.FlagSet, given map[string]string) error {
	var b strings.Builder
	f.VisitAll(func(f *pflag.Flag) {
		switch {
		case f.Hidden || slices.Contains([]string{"help", "config", "check-config"}, f.Name):
		case !slices.Contains([]string{"key", "secret", "token"}, f.Name) || given[f.Name] != "":
			fmt.Fprintf(&b, "%s: %s\n", f.Name, settingYAML(f))
		case f.Name != "token" && given["apps"] != "" && given["key"] == "" && given["secret"] == "":
			fmt.Fprintf(&b, "# %s: below apps\n", f.Name)
		default:
			fmt.Fprintf(&b, "# %s: made up at each start\n", f.Name)
		}
	})
	_, err := io.WriteString(w, b.String())
	return err
}

// settingYAML writes a value as JSON, which YAML takes. Numbers and durations stay
// as the flag prints them.
func settingYAML(f *pflag.Flag) string {
	text := f.Value.String()
	switch {
	case text == "":
		return `""`
	case f.Name == "secret" || f.Name == "token":
		return quoted(masked)
	case f.Name == "apps" || f.Name == "webhooks":
		return maskList(text)
	case f.Name == "bus":
		return quoted(maskURLs(text))
	case f.Name == "channels":
		return text
	}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return quoted(append([]string{}, list.GetSlice()...))
	}
	if f.Value.Type() == "string" {
		return quoted(text)
	}
	return text
}

func quoted(v any) string {
	text, _ := json.Marshal(v) // strings always can be
	return string(text)
}

// maskList masks, in a list that was checked, each secret, each header, and what is
// secret in URLs.
func maskList(text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return quoted(masked)
	}
	maskIn(v, false)
	return quoted(v)
}

func maskIn(v any, all bool) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if _, text := item.(string); text && all {
				v[i] = masked
			}
			maskIn(item, all)
		}
	case map[string]any:
		for name, item := range v {
			secret := all || strings.Contains(strings.ToLower(name), "secret") || strings.EqualFold(name, "headers")
			switch text, isText := item.(string); {
			case isText && secret:
				v[name] = masked
			case isText && strings.EqualFold(name, "url"):
				v[name] = maskURL(text)
			}
			maskIn(item, secret)
		}
	}
}

// maskURLs hides the secrets in a list of URLs.
func maskURLs(list string) string {
	urls := strings.Split(list, ",")
	for i, text := range urls {
		urls[i] = maskURL(text)
	}
	return strings.Join(urls, ",")
}

// maskURL hides the password, or a token in the user's place, and the query.
func maskURL(text string) string {
	const hidden = "xxxxx" // as Redacted has it
	u, err := url.Parse(text)
	if err != nil {
		return masked
	}
	if _, password := u.User.Password(); u.User != nil && !password {
		u.User = url.User(hidden)
	}
	if u.RawQuery != "" {
		u.RawQuery = hidden
	}
	return u.Redacted()
}
