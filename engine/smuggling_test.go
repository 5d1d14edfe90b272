//go:build unix

package engine

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// Requests that two parsers may understand in two ways, by which one request is
// hidden in another from a proxy: each is refused, and what follows it on the
// connection is never looked at.
var smuggled = map[string]string{
	"duplicate Host":                        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"no Host":                               "GET / HTTP/1.1\r\nX: a\r\n\r\n",
	"duplicate Content-Length":              "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\nGET ",
	"list of Content-Length":                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 4\r\n\r\nGET ",
	"signed Content-Length":                 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nGET ",
	"Content-Length with Transfer-Encoding": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding twice":               "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding unknown":             "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding not last":            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	"Transfer-Encoding in HTTP/1.0":         "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"space before the colon":                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nGET ",
	"bare LF":                               "POST / HTTP/1.1\nHost: a\nContent-Length: 4\n\nGET ",
	"bare LF in one line":                   "POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n",
	"bare CR":                               "POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n",
	"obs-fold":                              "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n",
	"NUL in a value":                        "GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
	"control byte in the target":            "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
	"too many fields":                       "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 101) + "\r\n",
	"header block too large":                "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 9<<10) + "\r\n\r\n",
	"upgrade with a length":                 strings.TrimSuffix(upgradeHead, "\r\n") + "Content-Length: 4\r\n\r\nGET ",
	"upgrade with chunks":                   strings.TrimSuffix(upgradeHead, "\r\n") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"two keys":                              strings.TrimSuffix(upgradeHead, "\r\n") + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	"two versions":                          strings.TrimSuffix(upgradeHead, "\r\n") + "Sec-WebSocket-Version: 13\r\n\r\n",
	"two upgrades":                          strings.TrimSuffix(upgradeHead, "\r\n") + "Upgrade: websocket\r\n\r\n",
}

const hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

func TestAmbiguousRequestsAreRefusedAndHideNothing(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	s := serve(t, ServerOptions{
		Config:  Config{Loops: 1},
		Handler: Handler{Open: func(*Conn, *Request) { served.Add(1) }},
		HTTP:    http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }),
	})
	for name, request := range smuggled {
		p := connect(t, s)
		p.write([]byte(request + hidden))
		res, err := http.ReadResponse(p.r, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, _ = io.Copy(io.Discard, res.Body) // the end of the connection may come first
		if res.StatusCode < 400 || !res.Close {
			t.Errorf("%s: answered %s, close %v", name, res.Status, res.Close)
		}
		if more, err := p.r.Peek(1); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: then %q, %v, want the end", name, more, err)
		}
	}
	if n := served.Load(); n != 0 {
		t.Errorf("%d requests reached a handler", n)
	}
}

// The authority in an absolute target is whom the request is for, whatever Host says
// (RFC 9112 section 3.2.2), for upgrades and for plain HTTP alike.
func TestTheAuthorityOfTheTargetPrevails(t *testing.T) {
	t.Parallel()
	plain, upgraded := make(chan string, 1), make(chan string, 1)
	s := serve(t, ServerOptions{
		Path: "/ws",
		Verify: func(r *Request) error {
			if got := [...]string{r.Header("host"), r.Path(), r.Query().Get("a")}; got != [...]string{"target.example", "/ws", "b"} {
				t.Errorf("Verify sees %q", got)
			}
			return nil
		},
		Handler: Handler{Open: func(_ *Conn, r *Request) {
			h, err := r.HTTP()
			if err != nil {
				t.Error(err)
				return
			}
			upgraded <- h.Host
		}},
		HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { plain <- r.Host }),
	})
	p := connect(t, s)
	p.write([]byte("GET http://target.example/x HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n"))
	if got := receive(t, plain, "the plain request"); got != "target.example" {
		t.Errorf("plain HTTP is for %q", got)
	}
	p = connect(t, s)
	p.write([]byte(strings.Replace(upgradeHead, "GET /", "GET http://target.example/ws?a=b", 1)))
	if got := receive(t, upgraded, "the upgrade"); got != "target.example" {
		t.Errorf("the upgrade is for %q", got)
	}
}

// The first request of a connection has passed the engine's parser. Those behind it
// are net/http's alone: what it refuses of them is stated in docs/security.md.
func TestLaterRequestsOfAConnectionAreParsedByNetHTTP(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerOptions{HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })})
	for _, name := range []string{
		"duplicate Host", "no Host", "duplicate Content-Length", "list of Content-Length", "signed Content-Length", "Transfer-Encoding twice",
		"Transfer-Encoding unknown", "Transfer-Encoding not last", "space before the colon", "bare CR", "NUL in a value",
		"control byte in the target", "upgrade with a length", "upgrade with chunks", "two keys", "two versions", "two upgrades",
	} {
		p := connect(t, s)
		p.write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		p.response()
		p.write([]byte(smuggled[name] + hidden))
		res, err := http.ReadResponse(bufio.NewReader(p.conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if res.StatusCode < 400 || !res.Close {
			t.Errorf("%s: answered %s, close %v", name, res.Status, res.Close)
		}
	}
}
