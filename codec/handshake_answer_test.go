package codec_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

const sampleKey, sampleAccept = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

func TestAcceptKeyOfTheRFC(t *testing.T) {
	if got := codec.AcceptKey([]byte("x"), []byte(sampleKey)); string(got) != "x"+sampleAccept {
		t.Errorf("got %s", got)
	}
}

func TestAppendSwitchingExactBytes(t *testing.T) {
	const start = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sampleAccept + "\r\n"
	for name, tt := range map[string]struct {
		protocol, extensions string
		extra                http.Header
		want                 string
	}{
		"plain":      {"", "", nil, ""},
		"protocol":   {"p", "", nil, "Sec-WebSocket-Protocol: p\r\n"},
		"extensions": {"", "permessage-deflate", nil, "Sec-WebSocket-Extensions: permessage-deflate\r\n"},
		"all": {"p", "e", http.Header{"X-B": {"2", "3"}, "X-A": {"1"}},
			"Sec-WebSocket-Protocol: p\r\nSec-WebSocket-Extensions: e\r\nX-A: 1\r\nX-B: 2\r\nX-B: 3\r\n"},
		"line breaks in values": {"p\r\nX: 1", "e\nX: 1", http.Header{"X": {"a\r\n\r\nb\x00\x7f\tc"}},
			"Sec-WebSocket-Protocol: p  X: 1\r\nSec-WebSocket-Extensions: e X: 1\r\nX: a    b  \tc\r\n"},
		"names that are no tokens": {"", "", http.Header{"X\r\nY": {"1"}, "": {"1"}, "X:": {"1"}, "X Y": {"1"}}, ""},
		"names the handshake owns": {"p", "", http.Header{"connection": {"close"}, "Sec-Websocket-Protocol": {"q"}, "Content-Length": {"5"},
			"Transfer-Encoding": {"chunked"}, "Upgrade": {"h2c"}, "Sec-Websocket-Accept": {"x"}, "Sec-Websocket-Extensions": {"x"}},
			"Sec-WebSocket-Protocol: p\r\n"},
	} {
		got := codec.AppendSwitching([]byte("before"), []byte(sampleKey), tt.protocol, tt.extensions, tt.extra)
		if want := "before" + start + tt.want + "\r\n"; string(got) != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestAppendRejectExactBytes(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		msg    string
		extra  http.Header
		want   string
	}{
		"standard phrase as body": {401, "", nil,
			"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\nUnauthorized"},
		"message as body": {403, "Nope", nil,
			"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nNope"},
		"length counts bytes": {403, "né", nil,
			"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\nné"},
		"Retry-After": {503, "", http.Header{"Retry-After": {"120"}},
			"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 19\r\nRetry-After: 120\r\n\r\nService Unavailable"},
		"version as the RFC spells it": {400, version400, http.Header{"Sec-Websocket-Version": {"13, 8"}},
			"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 47\r\nSec-WebSocket-Version: 13, 8\r\n\r\n" + version400},
		"extra overrides in place": {400, "{}", http.Header{"Content-Type": {"application/json"}, "Connection": {"Close"}, "A": {"1"}},
			"HTTP/1.1 400 Bad Request\r\nConnection: Close\r\nContent-Type: application/json\r\nContent-Length: 2\r\nA: 1\r\n\r\n{}"},
		"framing stays ours": {400, "x", http.Header{"Content-Length": {"99"}, "Transfer-Encoding": {"chunked"}},
			"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx"},
		"unknown status": {499, "", nil,
			"HTTP/1.1 499 \r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"},
		"unknown status with a message": {499, "gone", nil,
			"HTTP/1.1 499 \r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\ngone"},
		"no status": {0, "", nil,
			"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\nInternal Server Error"},
		"line breaks": {400, "a\r\nb", http.Header{"X": {"1\r\nY: 2"}, "Z\n": {"1"}},
			"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 4\r\nX: 1  Y: 2\r\n\r\na\r\nb"},
	} {
		got := codec.AppendReject([]byte("before"), tt.status, tt.msg, tt.extra)
		if string(got) != "before"+tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestNetHTTPUnderstandsARefusal(t *testing.T) {
	wire := codec.AppendReject(nil, 403, "Nope", http.Header{"X": {"1"}})
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "Nope" || res.StatusCode != 403 || !res.Close || res.Header.Get("X") != "1" {
		t.Errorf("%q, %v, %+v", body, err, res)
	}
}

func TestAppendUpgradeRequestExactBytes(t *testing.T) {
	got := codec.AppendUpgradeRequest([]byte("before"), "example.com:80", "/ws?x=1", sampleKey, []string{"a", "b"}, "permessage-deflate",
		http.Header{"Origin": {"http://a"}, "Host": {"evil"}, "Sec-Websocket-Key": {"x"}, "Cookie": {"k=v"}})
	const want = "beforeGET /ws?x=1 HTTP/1.1\r\nHost: example.com:80\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: " + sampleKey + "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate\r\nCookie: k=v\r\nOrigin: http://a\r\n\r\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAppendUpgradeRequestCannotBeSplit(t *testing.T) {
	evil := "a\r\nX: 1\r\n\r\nb c\x00\x7f"
	got := codec.AppendUpgradeRequest(nil, evil, evil, evil, []string{evil}, evil, http.Header{evil: {evil}, "Origin": {evil}})
	n, err := codec.ScanHead(got, 0, 4096)
	if n != len(got) || err != nil {
		t.Fatalf("the block ends at %d of %d, %v", n, len(got), err)
	}
	r := parseRequest(t, string(got))
	if len(r.Fields) != 8 || r.Values("X") != 0 || string(r.Target) != "a%0D%0AX:%201%0D%0A%0D%0Ab%20c%00%7F" || string(r.Get("Host")) != "aX:1bc" {
		t.Errorf("got %q", got)
	}
	if got := codec.AppendUpgradeRequest(nil, "a", "", sampleKey, nil, "", nil); !strings.HasPrefix(string(got), "GET / HTTP/1.1\r\n") {
		t.Errorf("empty target: %q", got)
	}
}
