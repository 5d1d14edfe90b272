package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/roost-ws/roost/push"
)

// FuzzSettingsFile: a settings file sets flags, or is refused with a reason.
func FuzzSettingsFile(f *testing.F) {
	for _, s := range []string{
		"addr: 127.0.0.1:0\nmax-conns: 7\n", "allowed-origin: [a, b]\n", "apps:\n  - id: x\n    key: k\n", "max-conns: 1e3\n", "ping-interval: 5s\nmax-payload: 16MiB\n",
		"a: &a [*a]\n", "a: {b: {c: 1}}\n", "no-such-key: 1\n", "? [1]: 2\n", "max-conns:\n", "\x00", "addr: !!binary AA==\n", "- x\n", "max-conns: 0x7fffffffffffffff\n",
	} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(dir, "roost.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		root := newRootCommand()
		cmd, _, err := root.Find([]string{"serve"})
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.ParseFlags([]string{"--config", path}); err != nil {
			t.Fatal(err)
		}
		if err := applySettings(cmd); err != nil && err.Error() == "" {
			t.Error("refused without a reason")
		}
	})
}

// FuzzApps: a list of apps is taken, or refused with a reason, and what is taken is
// what the server takes.
func FuzzApps(f *testing.F) {
	for _, s := range []string{
		`[{"id":"1","key":"k","secret":"s"}]`, `[{"id":"1","key":"k","secret":"s","auth_timeout":"5s","channels":[{"match":"a*","history":{"count":3,"age":"1m"}}]}]`,
		`[]`, `null`, `[{}]`, `[{"id":"1"},{"id":"1"}]`, `[{"auth_timeout":"-1s"}]`, `{"id":1}`, `[{"id":"1","key":"k","secret":"s","webhooks":[{"url":"http://x"}]}]`, ``,
	} {
		f.Add(s, `[{"match":"a-*","history":{"count":1}}]`, "")
	}
	f.Fuzz(func(t *testing.T, apps, channels, hooks string) {
		var o push.Options
		l := appLists{apps: apps, channels: channels, webhooks: hooks}
		if err := l.apply(&o, kept{}); err != nil {
			if err.Error() == "" {
				t.Error("refused without a reason")
			}
			return
		}
		if o.Check() != nil {
			return
		}
		s, err := push.New(o)
		if err != nil {
			t.Fatalf("what Check took, New refused: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
