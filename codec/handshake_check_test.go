package codec_test

import (
	"bufio"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

const (
	method405  = "Invalid HTTP method"
	upgrade400 = "Invalid Upgrade header"
	key400     = "Missing or invalid Sec-WebSocket-Key header"
	version400 = "Missing or invalid Sec-WebSocket-Version header"
)

// A handshake, line by line; a row replaces, removes (by "") or doubles some.
var goodLines = [...]string{"GET / HTTP/1.1", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}

var checkTests = []struct {
	name string
	line int
	with string
	want string
}{
	{"as it should be", 0, goodLines[0], ""},
	{"POST", 0, "POST / HTTP/1.1", method405},
	{"method in lower case", 0, "get / HTTP/1.1", method405},
	{"HEAD", 0, "HEAD / HTTP/1.1", method405},
	{"HTTP/1.0", 0, "GET / HTTP/1.0", ""},
	{"Upgrade in any case", 1, "upgrade: WebSocket", ""},
	{"Upgrade missing", 1, "", upgrade400},
	{"Upgrade foo", 1, "Upgrade: foo", upgrade400},
	{"Upgrade a list", 1, "Upgrade: websocket, foo", upgrade400},
	{"Upgrade doubled", 1, "Upgrade: websocket\r\nUpgrade: websocket", upgrade400},
	{"Upgrade with the Kelvin sign", 1, "Upgrade: websoc\u212aet", upgrade400},
	{"Upgrade with a byte that differs from s only by 0x20", 1, "Upgrade: web\x53ocket", ""},
	{"key missing", 2, "", key400},
	{"key empty", 2, "Sec-WebSocket-Key:", key400},
	{"key of 12 characters", 2, "Sec-WebSocket-Key: dGhlIHNhbXA=", key400},
	{"key of 17 bytes", 2, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=", key400},
	{"key of 25 characters", 2, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===", key400},
	{"key with a character not of base64", 2, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-Q==", key400},
	{"key with an inner =", 2, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===", key400},
	{"key with + and /", 2, "Sec-WebSocket-Key: ++//zzZZ009988aaAA++/w==", ""},
	{"key with low bits set", 2, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==", ""},
	{"key doubled", 2, goodLines[2] + "\r\n" + goodLines[2], key400},
	{"Hixie-76", 2, "Sec-WebSocket-Key1: 3e6b263  4 17 80\r\nSec-WebSocket-Key2: 17  9 G`ZD9   2 2b 7X 3 /r90", key400},
	{"version missing", 3, "", version400},
	{"version 12", 3, "Sec-WebSocket-Version: 12", version400},
	{"version 8", 3, "Sec-WebSocket-Version: 8", ""},
	{"version 0xd", 3, "Sec-WebSocket-Version: 0xd", version400},
	{"version 013", 3, "Sec-WebSocket-Version: 013", version400},
	{"version +13", 3, "Sec-WebSocket-Version: +13", version400},
	{"version 13.0", 3, "Sec-WebSocket-Version: 13.0", version400},
	{"version a list", 3, "Sec-WebSocket-Version: 13, 8", version400},
	{"version doubled", 3, goodLines[3] + "\r\n" + goodLines[3], version400},
}

func handshakeWith(line int, with string) string {
	lines := goodLines
	lines[line] = with
	out := lines[0] + "\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
	for _, l := range lines[1:] {
		if l != "" {
			out += l + "\r\n"
		}
	}
	return out + "\r\n"
}

// checkRefusal compares a refusal with the text and status the table asks for.
func checkRefusal(t *testing.T, err error, want string) {
	t.Helper()
	var e *codec.HandshakeError
	switch {
	case want == "" && err == nil:
		return
	case !errors.As(err, &e) || e.Msg != want || err.Error() != want:
		t.Errorf("got %v, want %q", err, want)
		return
	}
	wantStatus, wantHeader := http.StatusBadRequest, http.Header(nil)
	switch want {
	case method405:
		wantStatus, wantHeader = http.StatusMethodNotAllowed, http.Header{"Allow": {"GET"}}
	case version400:
		wantHeader = http.Header{"Sec-Websocket-Version": {"13, 8"}}
	}
	if e.Status != wantStatus || !reflect.DeepEqual(e.Header, wantHeader) {
		t.Errorf("status %d, header %v", e.Status, e.Header)
	}
}

func TestCheckUpgradeAndCheckHTTPApplyOneTable(t *testing.T) {
	for _, tt := range checkTests {
		t.Run(tt.name, func(t *testing.T) {
			in := handshakeWith(tt.line, tt.with)
			checkRefusal(t, parseRequest(t, in).CheckUpgrade(), tt.want)
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(in)))
			if err != nil {
				t.Fatal(err)
			}
			checkRefusal(t, codec.CheckHTTP(r), tt.want)
		})
	}
}

func TestChecksRunInTheOrderOfTheTable(t *testing.T) {
	for bad, want := range map[string]string{
		"POST / HTTP/1.1\r\nHost: a\r\n\r\n":                      method405,
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                       upgrade400,
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n": key400,
	} {
		checkRefusal(t, parseRequest(t, bad).CheckUpgrade(), want)
	}
}

func TestCheckHTTPReadsRepeatedConnectionLines(t *testing.T) {
	for list, want := range map[string]string{
		"Connection: keep-alive\r\nConnection: x, Upgrade\r\n": "",
		"Connection: keep-alive\r\n":                           "Invalid Connection header",
		"":                                                     "Invalid Connection header",
	} {
		in := strings.Replace(handshakeWith(0, goodLines[0]), "Connection: keep-alive, Upgrade\r\n", list, 1)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		checkRefusal(t, codec.CheckHTTP(r), want)
	}
}
