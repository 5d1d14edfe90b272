package push_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/roost-ws/roost/push"
)

func TestConsoleWantsTokenHostAndOrigin(t *testing.T) {
	r := start(t, push.Options{Hosts: []string{"push.example"}})
	tests := []struct {
		name               string
		auth, host, origin string
		status             int
	}{
		{"the page", "Bearer " + token, "", "http://" + r.addr, 200},
		{"a shell", "Bearer " + token, "", "", 200},
		{"no token", "", "", "", 401},
		{"wrong token", "Bearer " + token + "x", "", "", 401},
		{"token of another scheme", token[:5], "", "", 401},
		{"rebound name", "Bearer " + token, "evil.example:80", "", 403},
		{"rebound name, its own origin", "Bearer " + token, "evil.example", "http://evil.example", 403},
		{"name that was allowed", "Bearer " + token, "PUSH.example:443", "https://push.example:443", 200},
		{"localhost", "Bearer " + token, "localhost:8080", "", 200},
		{"IPv6", "Bearer " + token, "[::1]:8080", "http://[::1]:8080", 200},
		{"another site", "Bearer " + token, "", "https://evil.example", 403},
		{"sandboxed frame", "Bearer " + token, "", "null", 403},
	}
	for _, tt := range tests {
		req := r.plain("POST", "/console/publish", `{"name":"e","channel":"c","data":"x"}`)
		req.Header.Set("Content-Type", "application/json")
		if tt.auth != "" {
			req.Header.Set("Authorization", tt.auth)
		}
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		req.Host = tt.host
		if status, text := r.do(req); status != tt.status || strings.Contains(text, token) {
			t.Errorf("%s: %d %s, want %d", tt.name, status, text, tt.status)
		}
	}
	if got := r.metric("roost_push_published_events_total"); got != "5" {
		t.Errorf("%s published, want 5", got)
	}
}

func (r *rig) console(method, path, kind, body string) (int, string) {
	req := r.plain(method, path, body)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", kind)
	return r.do(req)
}

func TestConsolePublishesToSubscribers(t *testing.T) {
	r := start(t, push.Options{Limits: push.Limits{MaxData: 100}})
	p := r.subscriber("c")
	if status, text := r.console("POST", "/console/publish", "application/json; charset=utf-8", `{"name":"e","channel":"c","data":"x"}`); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	p.expect("e")
	for _, tt := range []struct {
		kind, body string
		status     int
	}{
		{"text/plain", `{"name":"e","channel":"c","data":"x"}`, 415},
		{"application/x-www-form-urlencoded", "name=e", 415},
		{"application/json", "x", 400},
		{"application/json", `{"name":"e","channel":"a b","data":"x"}`, 400},
		{"application/json", `{"name":"e","channel":"c","data":"` + strings.Repeat("x", 101) + `"}`, 413},
		{"application/json", strings.Repeat(" ", 100_000), 413},
	} {
		if status, text := r.console("POST", "/console/publish", tt.kind, tt.body); status != tt.status {
			t.Errorf("%s %.40s: %d %s, want %d", tt.kind, tt.body, status, text, tt.status)
		}
	}
	p.fence()
}

func TestConsoleStateHasTheKeyAndNeverTheSecret(t *testing.T) {
	r := start(t, push.Options{})
	r.subscriber("a")
	status, text := r.console("GET", "/console/state", "", "")
	if status != 200 || !strings.Contains(text, app.Key) || !strings.Contains(text, `"connections":1`) || strings.Contains(text, app.Secret) {
		t.Errorf("%d %s", status, text)
	}
}

func TestPageIsWholeAndLoadsNothingFromElsewhere(t *testing.T) {
	r := start(t, push.Options{})
	for path, kind := range map[string]string{"/": "text/html", "/roost.css": "text/css", "/console.js": "text/javascript", "/board.js": "text/javascript",
		"/charts.js": "text/javascript", "/session.js": "text/javascript", "/tables.js": "text/javascript", "/uplot.css": "text/css", "/roost.js": "text/javascript"} {
		res, err := http.Get("http://" + r.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		csp := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), kind) ||
			!strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %s %v", path, res.Status, res.Header)
		}
		_, text := r.do(r.plain("GET", path, ""))
		// What the favicon's SVG names is a namespace and is never fetched.
		text = strings.ReplaceAll(text, "http://www.w3.org/2000/svg", "")
		for _, foreign := range []string{"http://", "https://", app.Key, token} {
			if strings.Contains(text, foreign) {
				t.Errorf("%s holds %q", path, foreign)
			}
		}
	}
}
