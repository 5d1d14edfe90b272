//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestServeTakesSeveralAppsFromTheSettingsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "roost.yaml")
	must(t, os.WriteFile(file, []byte(`
max-members: 50
apps:
  - id: shop
    key: shop-key
    secret: shop-s3cret-s3cret
    client_events: true
    auth_timeout: 30s
    limits: {max_conns: 100}
    channels:
      - match: orders-*
        history: {count: 100, age: 10m}
    webhooks:
      - url: http://127.0.0.1:1/hook
        events: [channel_vacated]
  - {id: blog, key: blog-key, secret: blog-s3cret-s3cret}
`), 0o600))
	p, url, _ := startServe(t, "--config", file)
	for _, app := range [][]string{{"shop", "shop-key", "shop-s3cret-s3cret"}, {"blog", "blog-key", "blog-s3cret-s3cret"}} {
		env := []string{"ROOST_SECRET=" + app[2]}
		if code, _, stderr := runRoost(t, env, "pub", "news", "x", "--addr", url, "--app-id", app[0], "--key", app[1]); code != 0 {
			t.Errorf("%s: exit code %d: %s", app[0], code, stderr)
		}
	}
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if strings.Contains(p.stderr.String(), "s3cret") {
		t.Errorf("a secret was written: %s", p.stderr)
	}
}

func TestAppListsThatAreWrongAreRefusedWithoutTheirSecrets(t *testing.T) {
	t.Parallel()
	for _, list := range []string{
		`x s3cret`, `[{"id":"a","key":"k","secret":"s3cret","colour":1}]`, `[{"id":"a","key":"k","secret":"s3cret","auth_timeout":"s"}]`,
		`[{"id":"a","key":"k","secret":"s3cret"},{"id":"a","key":"l","secret":"s3cret"}]`,
		`[{"id":"a","key":"k","secret":"s3cret","channels":[{"match":"a","history":{"counts":1}}]}]`,
		`[{"id":"a","key":"k","secret":"s3cret","limits":{"max_data":-1}}]`,
	} {
		for name, given := range map[string]struct{ env, args []string }{
			"flag": {nil, []string{"--apps", list}}, "environment": {[]string{"ROOST_APPS=" + list}, nil},
		} {
			code, _, stderr := runRoost(t, given.env, append([]string{"serve", "--addr", "127.0.0.1:0"}, given.args...)...)
			if code != exitUsage || strings.Contains(stderr, "s3cret") {
				t.Errorf("%s %s: exit code %d: %s", name, list, code, stderr)
			}
		}
	}
}
