//go:build unix

package engine

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// request is an upgrade with some header lines replaced, added or, where the
// value is "", left out.
func request(first string, headers ...string) []byte {
	lines := []string{"Host: x", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		found := false
		for i, l := range lines {
			if n, _, _ := strings.Cut(l, ":"); n == name {
				lines[i], found = h, true
				if value == "" {
					lines = append(lines[:i], lines[i+1:]...)
				}
				break
			}
		}
		if !found {
			lines = append(lines, h)
		}
	}
	return []byte(first + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n")
}

const get = "GET / HTTP/1.1"

func TestUpgradeAnswerByteForByte(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerOptions{})
	p := connect(t, s)
	p.write([]byte(upgradeHead))
	const want = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(p.r, got); err != nil || string(got) != want {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestUpgradeByteByByte(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.echo()})
		p := connect(t, s)
		for _, b := range []byte(upgradeHead) {
			p.write([]byte{b})
		}
		p.switched()
		for _, b := range append(frameOf(Text, "hello"), closeOf(1000, "")...) {
			p.write([]byte{b})
		}
		p.want("text hello", "close 1000")
		p.end()
		p.fin()
		j.want(t, "open", "text hello", "close 1000")
	})
}

func TestUpgradeWithPipelinedFrames(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.echo()})
		f := frameOf(Text, "behind")
		p := connect(t, s)
		p.write([]byte(upgradeHead), frameOf(Text, "first"), f[:4])
		p.switched()
		p.want("text first")
		p.write(f[4:])
		p.want("text behind")
		j.want(t, "open", "text first", "text behind")

		// All that a connection ever says, in one segment with its end.
		p = connect(t, s)
		p.write([]byte(upgradeHead), frameOf(Text, "all"), closeOf(1000, ""))
		p.fin()
		p.switched()
		p.want("text all", "close 1000")
		p.end()
		j.want(t, "open", "text all", "close 1000")
	})
}

func TestUpgradeRefusals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		req    []byte
		status int
		body   string
	}{
		{"method", request("POST / HTTP/1.1"), 405, "Invalid HTTP method"},
		{"upgrade foo", request(get, "Upgrade: foo"), 400, "Invalid Upgrade header"},
		{"upgrade list", request(get, "Upgrade: websocket, foo"), 400, "Invalid Upgrade header"},
		{"no key", request(get, "Sec-WebSocket-Key:"), 400, "Missing or invalid Sec-WebSocket-Key header"},
		{"short key", request(get, "Sec-WebSocket-Key: abc"), 400, "Missing or invalid Sec-WebSocket-Key header"},
		{"no version", request(get, "Sec-WebSocket-Version:"), 400, "Missing or invalid Sec-WebSocket-Version header"},
		{"version 12", request(get, "Sec-WebSocket-Version: 12"), 400, "Missing or invalid Sec-WebSocket-Version header"},
		{"path", request("GET /other HTTP/1.1"), 400, "Bad Request"},
		{"path with slash", request("GET /ws/ HTTP/1.1"), 400, "Bad Request"},
		{"path in capitals", request("GET /WS HTTP/1.1"), 400, "Bad Request"},
		{"path encoded", request("GET /w%73 HTTP/1.1"), 400, "Bad Request"},
		{"protocols", request("GET /ws HTTP/1.1", "Sec-WebSocket-Protocol: foo;bar"), 400, "Invalid Sec-WebSocket-Protocol header"},
		{"refused", request("GET /ws?401 HTTP/1.1"), 401, "Unauthorized"},
		{"refused in detail", request("GET /ws?403 HTTP/1.1"), 403, "Nope"},
		{"no upgrade", []byte("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n"), 426, "Upgrade Required"},
		{"no Connection", request("GET /ws HTTP/1.1", "Connection:"), 426, "Upgrade Required"},
		{"garbage", []byte("garbage\r\n\r\n"), 400, ""},
		{"bare LF", []byte("GET / HTTP/1.1\nHost: x\n\n"), 400, ""},
	}
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), Path: "/ws", Verify: func(r *Request) error {
			switch r.Target() {
			case "/ws?401":
				return errors.New("no")
			case "/ws?403":
				return &RejectError{Status: 403, Msg: "Nope", Header: http.Header{"Retry-After": {"120"}}}
			}
			return nil
		}})
		for _, tc := range cases {
			p := connect(t, s)
			p.write(tc.req)
			res := p.response()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tc.status || tc.body != "" && string(body) != tc.body {
				t.Errorf("%s: %s %q, want %d %q", tc.name, res.Status, body, tc.status, tc.body)
			}
			if !res.Close {
				t.Errorf("%s: the answer does not announce the end", tc.name)
			}
			if tc.name == "version 12" && res.Header.Get("Sec-WebSocket-Version") != "13, 8" {
				t.Errorf("%s: %v", tc.name, res.Header)
			}
			if tc.status == 403 && res.Header.Get("Retry-After") != "120" {
				t.Errorf("%s: %v", tc.name, res.Header)
			}
			p.end()
			p.conn.Close()
		}
		for _, good := range [][]byte{
			request("GET /ws?x=1 HTTP/1.1", "Upgrade: WebSocket", "Sec-WebSocket-Version: 8"),
			request("GET /ws HTTP/1.1", "Connection: keep-alive, Upgrade"),
		} {
			p := connect(t, s)
			p.write(good)
			p.switched()
			j.want(t, "open")
			p.conn.Close()
			j.want(t, "close 1006")
		}
		eventually(t, "the refused to be gone", func() bool { return s.e.Stats().Conns == 0 })
	})
}

func TestUpgradeHooks(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		got := make(chan []string, 1)
		j := newJournal()
		h := j.handler()
		h.Open = func(c *Conn, r *Request) {
			hr, err := r.HTTP()
			if err != nil {
				t.Error(err)
				return
			}
			got <- []string{c.Protocol(), r.Method(), r.Path(), r.Query().Get("a"), r.Header("x-thing"), r.Origin(),
				hr.URL.Path, hr.Host, hr.Header.Get("X-Thing")}
			if r.RemoteAddr().String() != c.RemoteAddr().String() || hr.RemoteAddr != c.RemoteAddr().String() {
				t.Error(r.RemoteAddr(), c.RemoteAddr(), hr.RemoteAddr)
			}
		}
		var offered []string
		s := serve(t, ServerOptions{Config: cfg, Handler: h,
			ShouldHandle:    func(r *Request) bool { return strings.HasPrefix(r.Path(), "/ok") },
			HandleProtocols: func(o []string, r *Request) string { offered = o; return o[len(o)-1] },
			Headers:         func(h http.Header, r *Request) { h.Set("X-Path", r.Path()) },
		})
		p := connect(t, s)
		p.write(request("GET /ok/x?a=b HTTP/1.1", "X-Thing: 1", "Origin: http://o", "Sec-WebSocket-Protocol: foo ,	bar"))
		res := p.switched()
		if res.Header.Get("Sec-WebSocket-Protocol") != "bar" || res.Header.Get("X-Path") != "/ok/x" {
			t.Fatal(res.Header)
		}
		want := "bar GET /ok/x b 1 http://o /ok/x x 1"
		if g := strings.Join(receive(t, got, "Open"), " "); g != want {
			t.Fatalf("%q, want %q", g, want)
		}
		if strings.Join(offered, " ") != "foo bar" {
			t.Fatal(offered)
		}
		p = connect(t, s)
		p.write(request("GET /no HTTP/1.1"))
		if res := p.response(); res.StatusCode != 400 {
			t.Fatal(res.Status)
		}
	})
}

func TestUpgradeWithoutAProtocolChosen(t *testing.T) {
	t.Parallel()
	var called atomic.Bool
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), HandleProtocols: func([]string, *Request) string { called.Store(true); return "" }})
	p, _ := j.opened(t, s)
	p.conn.Close()
	if called.Load() {
		t.Error("HandleProtocols was called without an offer")
	}
	p = connect(t, s)
	p.write(request(get, "Sec-WebSocket-Protocol: foo"))
	if res := p.switched(); res.Header.Values("Sec-WebSocket-Protocol") != nil {
		t.Error(res.Header)
	}
	if c := j.conn(t); c.Protocol() != "" {
		t.Error(c.Protocol())
	}

	first := serve(t, ServerOptions{Handler: j.handler()})
	p = connect(t, first)
	p.write(request(get, "Sec-WebSocket-Protocol: foo, bar"))
	if res := p.switched(); res.Header.Get("Sec-WebSocket-Protocol") != "foo" {
		t.Error(res.Header)
	}
	if c := j.conn(t); c.Protocol() != "foo" {
		t.Error(c.Protocol())
	}
}
