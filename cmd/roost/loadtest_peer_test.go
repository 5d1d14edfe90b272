package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roost-ws/roost/loadtest"
)

func TestLoadtestSpeaksTLSAndDeflateToRoostEcho(t *testing.T) {
	t.Parallel()
	cert, key := writePair(t, t.TempDir(), 1)
	p := startRoost(t, nil, "echo", "--addr", "127.0.0.1:0", "--deflate", "--tls-cert", cert, "--tls-key", key)
	_, url, ok := strings.Cut(strings.TrimSpace(p.line(t)), " on ")
	if !ok {
		t.Fatalf("first line names no address\n%s", p.stderr)
	}
	for _, trust := range [][]string{{"--ca", cert}, {"--insecure"}} {
		args := append([]string{"loadtest", "echo", url, "--conns", "5", "--text", "--size", "500", "--deflate",
			"--duration", "100ms", "--warmup", "0s", "--quiet", "--json"}, trust...)
		code, stdout, stderr := runRoost(t, nil, args...)
		var r loadtest.Report
		must(t, json.Unmarshal([]byte(stdout), &r))
		if code != 0 || r.Connections.Deflated != 5 || r.Echo == nil || r.Echo.Messages == 0 {
			t.Errorf("%v: exit code %d, stderr %q, report %s", trust, code, stderr, stdout)
		}
	}
}

func TestLoadtestAuthenticates(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Authorization")
		w.WriteHeader(http.StatusForbidden)
	}))
	defer s.Close()
	for _, c := range []struct{ flag, value, want string }{
		{"--basic", "me:s3cret", "Basic bWU6czNjcmV0"},
		{"--bearer", "abc.def", "Bearer abc.def"},
		{"-H", "Authorization: Custom 1", "Custom 1"},
	} {
		code, stdout, _ := runRoost(t, nil, "loadtest", "idle", "ws"+strings.TrimPrefix(s.URL, "http"), "--conns", "1", c.flag, c.value)
		got := "no request"
		select {
		case got = <-seen:
		default: // the run is over
		}
		if got != c.want || code != exitFailure || !strings.Contains(stdout, "status-403") {
			t.Errorf("%s: Authorization %q, want %q; exit code %d:\n%s", c.flag, got, c.want, code, stdout)
		}
	}
}
