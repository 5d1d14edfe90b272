package codec_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

func parseRequest(t *testing.T, in string) *codec.Request {
	t.Helper()
	r := new(codec.Request)
	if err := r.Parse([]byte(in)); err != nil {
		t.Fatalf("Parse(%.80q): %v", in, err)
	}
	return r
}

// status returns the status a refusal carries, 0 for none.
func status(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *codec.HandshakeError
	if !errors.As(err, &e) || e.Error() == "" {
		t.Fatalf("error %#v: want a *HandshakeError with a text", err)
	}
	return e.Status
}

func TestParseKeepsWhatWasSent(t *testing.T) {
	r := parseRequest(t, "\r\n"+chromeRequest)
	if string(r.Method) != "GET" || string(r.Target) != "/live?channel=ticker" || r.Minor != 1 || len(r.Fields) != 13 {
		t.Errorf("got %s %s HTTP/1.%d, %d fields", r.Method, r.Target, r.Minor, len(r.Fields))
	}
	if got := string(r.Get("sec-websocket-KEY")); got != "dGhlIHNhbXBsZSBub25jZQ==" {
		t.Errorf("Get: %q", got)
	}
	if !r.WantsUpgrade() || r.CheckUpgrade() != nil {
		t.Errorf("WantsUpgrade %v, CheckUpgrade %v", r.WantsUpgrade(), r.CheckUpgrade())
	}
}

func TestFieldsAreTrimmedJoinedAndCounted(t *testing.T) {
	r := parseRequest(t, "GET / HTTP/1.1\r\nHost:a\r\nX: \t one \t\r\nEmpty:\r\nx:two\r\nX-: no\r\nX:\r\n\r\n")
	for _, tt := range []struct {
		name, first, joined string
		n                   int
	}{
		{"X", "one", "one, two, ", 3},
		{"host", "a", "a", 1},
		{"Empty", "", "", 1},
		{"absent", "", "", 0},
	} {
		first := r.Get(tt.name)
		if string(first) != tt.first || (first == nil) != (tt.n == 0) || r.Joined(tt.name) != tt.joined || r.Values(tt.name) != tt.n {
			t.Errorf("%s: %q, %q, %d", tt.name, first, r.Joined(tt.name), r.Values(tt.name))
		}
	}
}

func TestParseRefusesWhatTwoParsersCouldReadDifferently(t *testing.T) {
	const line, host, end = "GET / HTTP/1.1\r\n", "Host: a\r\n", "\r\n"
	for name, tt := range map[string]struct {
		in   string
		want int
	}{
		"duplicate Host":                      {line + host + "HOST: b\r\n" + end, 400},
		"duplicate equal Host":                {line + host + host + end, 400},
		"missing Host in HTTP/1.1":            {line + end, 400},
		"missing Host in HTTP/1.0":            {"GET / HTTP/1.0\r\n" + end, 0},
		"duplicate Content-Length":            {line + host + "Content-Length: 1\r\nContent-Length: 1\r\n" + end, 400},
		"Content-Length list":                 {line + host + "Content-Length: 1, 1\r\n" + end, 400},
		"signed Content-Length":               {line + host + "Content-Length: +1\r\n" + end, 400},
		"empty Content-Length":                {line + host + "Content-Length:\r\n" + end, 400},
		"Content-Length beyond int64":         {line + host + "Content-Length: 9999999999999999999\r\n" + end, 400},
		"Content-Length, Transfer-Encoding":   {line + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" + end, 400},
		"Transfer-Encoding, Content-Length":   {line + host + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n" + end, 400},
		"duplicate Transfer-Encoding":         {line + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" + end, 400},
		"Transfer-Encoding identity":          {line + host + "Transfer-Encoding: identity\r\n" + end, 501},
		"Transfer-Encoding with vertical tab": {line + host + "Transfer-Encoding: \vchunked\r\n" + end, 400},
		"Transfer-Encoding in HTTP/1.0":       {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + end, 400},
		"chunked alone":                       {line + host + "Transfer-Encoding: Chunked\r\n" + end, 0},
		"space before colon":                  {line + "Host : a\r\n" + end, 400},
		"tab before colon":                    {line + host + "X\t: a\r\n" + end, 400},
		"space inside a name":                 {line + host + "X y: a\r\n" + end, 400},
		"no name":                             {line + host + ": a\r\n" + end, 400},
		"no colon":                            {line + host + "X\r\n" + end, 400},
		"obs-fold with space":                 {line + host + "X: a\r\n b\r\n" + end, 400},
		"obs-fold with tab":                   {line + host + "X: a\r\n\tb\r\n" + end, 400},
		"blank first field line":              {line + " X: a\r\n" + host + end, 400},
		"whitespace-only line":                {line + host + " \r\n" + end, 400},
		"name not ASCII":                      {line + host + "X\xe9: a\r\n" + end, 400},
		"NUL in a name":                       {line + host + "X\x00: a\r\n" + end, 400},
		"NUL in a value":                      {line + host + "X: a\x00b\r\n" + end, 400},
		"NUL in a long value":                 {line + host + "X: 0123456789abcdef\x000123456789\r\n" + end, 400},
		"DEL in a long value":                 {line + host + "X: 0123456789abcdef\x7f0123456789\r\n" + end, 400},
		"CR in a value":                       {line + host + "X: a\rb\r\n" + end, 400},
		"CR CR LF":                            {line + host + "X: a\r\r\n" + end, 400},
		"bare LF in a line":                   {line + host + "X: a\nY: b\r\n" + end, 400},
		"tab and high bytes in a value":       {line + host + "X: 01234567\t\xe9\xff89\r\n" + end, 0},
		"NUL in the target":                   {"GET /\x00 HTTP/1.1\r\n" + host + end, 400},
		"tab in the target":                   {"GET /a\tb HTTP/1.1\r\n" + host + end, 400},
		"two spaces before the target":        {"GET  / HTTP/1.1\r\n" + host + end, 400},
		"two spaces before the version":       {"GET /  HTTP/1.1\r\n" + host + end, 400},
		"space after the version":             {"GET / HTTP/1.1 \r\n" + host + end, 400},
		"leading space":                       {" GET / HTTP/1.1\r\n" + host + end, 400},
		"no target":                           {"GET HTTP/1.1\r\n" + host + end, 400},
		"HTTP/0.9":                            {"GET /\r\n" + end, 400},
		"method not a token":                  {"G(T / HTTP/1.1\r\n" + host + end, 400},
		"lower-case http":                     {"GET / http/1.1\r\n" + host + end, 400},
		"version with two digits":             {"GET / HTTP/1.10\r\n" + host + end, 400},
		"version without minor":               {"GET / HTTP/2\r\n" + host + end, 400},
		"HTTP/1.x":                            {"GET / HTTP/1.x\r\n" + host + end, 400},
		"HTTP/2.0 preface":                    {"PRI * HTTP/2.0\r\n" + end, 505},
		"HTTP/3.0":                            {"GET / HTTP/3.0\r\n" + host + end, 505},
		"HTTP/0.9 spelt out":                  {"GET / HTTP/0.9\r\n" + host + end, 505},
		"HTTP/1.2":                            {"GET / HTTP/1.2\r\n" + host + end, 0},
		"no empty line":                       {line + host, 400},
		"bytes after the empty line":          {line + host + end + "x", 400},
		"empty":                               {"", 400},
		"only empty lines":                    {"\r\n\r\n", 400},
		"TLS hello":                           {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400},
		"100 fields":                          {line + host + strings.Repeat("X: a\r\n", 99) + end, 0},
		"101 fields":                          {line + host + strings.Repeat("X: a\r\n", 100) + end, 431},
	} {
		if got := status(t, new(codec.Request).Parse([]byte(tt.in))); got != tt.want {
			t.Errorf("%s: status %d, want %d", name, got, tt.want)
		}
	}
}

func TestEveryControlCharacterIsRefusedWhereverItStands(t *testing.T) {
	for c := range 256 {
		bad := c < ' ' && c != '\t' || c == 0x7f
		for at := range 20 {
			value := []byte("x12345678901234567890x")
			value[1+at] = byte(c)
			in := fmt.Sprintf("GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n", value)
			if err := new(codec.Request).Parse([]byte(in)); (err != nil) != bad {
				t.Fatalf("byte %#x at %d: %v", c, at, err)
			}
		}
	}
}

func TestPathIsTheTargetsUpToTheQuestionMark(t *testing.T) {
	for target, want := range map[string]string{
		"/ws": "/ws", "/ws?x=1": "/ws", "/ws/": "/ws/", "/WS": "/WS", "/w%73": "/w%73", "/ws?a?b": "/ws", "/?": "/",
		"/ws#f": "/ws#f", "http://a/ws?x": "/ws", "*": "*",
	} {
		if got := parseRequest(t, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n").Path(); string(got) != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// RFC 9112 section 3.2: origin, absolute and asterisk form, and net/url's word on each.
func TestCutTarget(t *testing.T) {
	for target, want := range map[string][3]string{
		"/":                         {"", "/", ""},
		"/a//b?c=d?e":               {"", "/a//b", "c=d?e"},
		"/http://h/x":               {"", "/http://h/x", ""},
		"/?http://h/x":              {"", "/", "http://h/x"},
		"http://h":                  {"h", "/", ""},
		"HTTP://h:80/":              {"h:80", "/", ""},
		"ws+x-1.0://[::1]:8080/a?b": {"[::1]:8080", "/a", "b"},
		"http://h?b/c":              {"h", "/", "b/c"},
		"http://u@v:p@h/@":          {"h", "/@", ""},
		"http:///x":                 {"", "/x", ""},
		"*":                         {"", "*", ""},
		"h:80":                      {"", "h:80", ""},
		"1http://h/":                {"", "1http://h/", ""},
		"://h/":                     {"", "://h/", ""},
		"http:/h":                   {"", "http:/h", ""},
		"":                          {"", "", ""},
	} {
		a, p, q := codec.CutTarget(target)
		if got := [3]string{a, p, q}; got != want {
			t.Errorf("%q: %q, want %q", target, got, want)
		}
		if u, err := url.ParseRequestURI(target); err == nil && a != "" && (u.Host != a || max(u.Path, "/") != p || u.RawQuery != q) {
			t.Errorf("%q: %q %q %q, to net/url %+v", target, a, p, q, u)
		}
	}
	if n := testing.AllocsPerRun(100, func() { codec.CutTarget([]byte("http://h/p?q")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWantsUpgradeNeedsBothHeaders(t *testing.T) {
	for fields, want := range map[string]bool{
		"Connection: Upgrade\r\nUpgrade: websocket":                           true,
		"connection: keep-alive, uPGRADE\r\nupgrade: h2c":                     true,
		"Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: x":         true,
		"Connection: ,\t upgrade \t,\r\nUpgrade:":                             true,
		"Connection: Upgrade":                                                 false,
		"Upgrade: websocket":                                                  false,
		"Connection: keep-alive\r\nUpgrade: websocket":                        false,
		"Connection: upgraded, no upgrade, \"upgrade\"\r\nUpgrade: websocket": false,
		"X-Connection: upgrade\r\nUpgrade: websocket":                         false,
	} {
		if got := parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\n"+fields+"\r\n\r\n").WantsUpgrade(); got != want {
			t.Errorf("%q: %v", fields, got)
		}
	}
}

func TestWantsWebSocketNeedsThatProtocol(t *testing.T) {
	for fields, want := range map[string]bool{
		"Connection: Upgrade\r\nUpgrade: WebSocket":                                  true,
		"Connection: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket": true,
		"Connection: Upgrade\r\nUpgrade: h2c, websocket":                             true,
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c":                        false,
		"Connection: Upgrade\r\nUpgrade: websockets":                                 false,
		"Connection: Upgrade\r\nUpgrade:":                                            false,
		"Connection: Upgrade":                                                        false,
		"Upgrade: websocket":                                                         false,
	} {
		in := "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		if raw, parsed := parseRequest(t, in).WantsWebSocket(), codec.WantsWebSocket(r); raw != want || parsed != want {
			t.Errorf("%q: %v, by net/http %v", fields, raw, parsed)
		}
	}
}

func TestParseReusesFields(t *testing.T) {
	var r codec.Request
	for range 2 {
		if err := r.Parse([]byte(chromeRequest)); err != nil || len(r.Fields) != 13 {
			t.Fatalf("%v, %d fields", err, len(r.Fields))
		}
	}
	if err := r.Parse([]byte("bad\r\n\r\n")); err == nil || len(r.Fields) != 0 || r.Method != nil {
		t.Errorf("after a refusal: %v, %d fields of the request before", err, len(r.Fields))
	}
}

func TestHTTPCopiesTheRequest(t *testing.T) {
	block := []byte("GET /a%20b?q=1 HTTP/1.1\r\nhost: h:80\r\nx-y: 1\r\nX-Y: 2\r\nCookie: k=v\r\nSec-WebSocket-Version: 8\r\n" +
		"Sec-WebSocket-Origin: http://old\r\nOrigin: http://new\r\n\r\n")
	var r codec.Request
	if err := r.Parse(block); err != nil {
		t.Fatal(err)
	}
	state := new(tls.ConnectionState)
	req, err := r.HTTP("127.0.0.1:9", state)
	if err != nil {
		t.Fatal(err)
	}
	clear(block)
	if req.Method != "GET" || req.URL.Path != "/a b" || req.URL.RawQuery != "q=1" || req.RequestURI != "/a%20b?q=1" ||
		req.Host != "h:80" || req.Proto != "HTTP/1.1" || !req.ProtoAtLeast(1, 1) || req.RemoteAddr != "127.0.0.1:9" ||
		req.TLS != state || req.Body != http.NoBody || req.Header["Host"] != nil {
		t.Errorf("got %+v", req)
	}
	if got := req.Header["X-Y"]; len(got) != 2 || got[0] != "1" || got[1] != "2" {
		t.Errorf("repeated lines: %q", got)
	}
	if c, err := req.Cookie("k"); err != nil || c.Value != "v" {
		t.Errorf("cookie: %v, %v", c, err)
	}
	if req.Header.Get("Sec-WebSocket-Origin") != "http://old" || req.Header.Get("Origin") != "http://new" {
		t.Errorf("origins: %v", req.Header)
	}
}

func TestHTTPRefusesATargetThatIsNoURI(t *testing.T) {
	for _, target := range []string{"ws", "/%zz", "http://[::1"} {
		r := parseRequest(t, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := r.HTTP("", nil); status(t, err) != 400 {
			t.Errorf("%s: %v", target, err)
		}
	}
}
