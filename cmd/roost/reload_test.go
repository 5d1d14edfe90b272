//go:build unix

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

const twoApps = `
apps:
  - {id: shop, key: shop-key, secret: shop-secret}
  - {id: blog, key: blog-key, secret: blog-secret}
`

func TestSIGHUPReadsAppsAndLimitsAgain(t *testing.T) {
	t.Parallel()
	file := settingsFile(t, twoApps+"max-channels: 10\n")
	p, url, _ := startServe(t, "--config", file)
	pub := func(app string) int {
		code, _, _ := runRoost(t, []string{"ROOST_SECRET=" + app + "-secret"}, "pub", "news", "x", "--addr", url, "--app-id", app, "--key", app+"-key")
		return code
	}
	blog := dialGorilla(t, "ws"+strings.TrimPrefix(url, "http")+"/app/blog-key?protocol=7")
	must(t, os.WriteFile(file, []byte("apps:\n  - {id: shop, key: shop-key, secret: shop-secret}\n  - {id: news, key: news-key, secret: news-secret}\nmax-channels: 20\nmax-conns: 5\n"), 0o600))
	p.signal(t, syscall.SIGHUP)
	p.stderr.waitFor(t, "settings read again")
	if code := readClose(t, blog); code != 4001 {
		t.Errorf("a client of an app that is gone: close code %d, want 4001", code)
	}
	if shop, news, gone := pub("shop"), pub("news"), pub("blog"); shop != 0 || news != 0 || gone == 0 {
		t.Errorf("pub to the app that stays %d, that came %d, that is gone %d", shop, news, gone)
	}
	for _, part := range []string{"added=[news]", "removed=[blog]", "changed=\"[apps max-channels]\"", "settings=[max-conns]"} {
		if !strings.Contains(p.stderr.String(), part) {
			t.Errorf("not logged: %s", part)
		}
	}
	if strings.Contains(p.stderr.String(), "-secret") {
		t.Error("a secret was logged")
	}
}

func TestSIGHUPWithABrokenFileChangesNothing(t *testing.T) {
	t.Parallel()
	file := settingsFile(t, twoApps)
	p, url, _ := startServe(t, "--config", file)
	c := dialGorilla(t, "ws"+strings.TrimPrefix(url, "http")+"/app/blog-key?protocol=7")
	must(t, os.WriteFile(file, []byte("apps:\n  - {id: shop, key: shop-key, secret: shop-secret}\nmax-channels: many\n"), 0o600))
	p.signal(t, syscall.SIGHUP)
	p.stderr.waitFor(t, "settings not read again")
	p.stderr.waitFor(t, `:3: max-channels \"many\"`)
	must(t, c.WriteMessage(1, []byte(`{"event":"pusher:ping","data":"{}"}`)))
	for {
		_, text, err := c.ReadMessage()
		must(t, err)
		if strings.Contains(string(text), "pusher:pong") {
			break
		}
	}
	if strings.Contains(p.stderr.String(), "-secret") {
		t.Error("a secret was logged")
	}
}
