package conformance

import (
	"bufio"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/roost-ws/roost/engine"
)

// granted are the answers that an offer allows, by RFC 7692 section 7.1. A number is the
// most that the parameter may say; 0 is that it must not be there, or, for the
// server's window, that it need not.
type granted struct {
	off            bool // the extension must stay off
	serverForgets  bool // must be there; else may
	clientForgets  bool // must be there; else may
	serverBits     int  // must be there with at most that
	clientBits     int  // may be there with at most that
	clientBitsMust bool
}

// TestNegotiation is RFC 7692 sections 5.1 and 7.1: what the answer to an offer may be.
func TestNegotiation(t *testing.T) {
	t.Parallel()
	all := granted{clientBits: 15}
	for _, x := range []struct {
		name   string
		config engine.DeflateOptions
		offers []string // a header line each
		want   granted
	}{
		{"bare", engine.DeflateOptions{}, []string{"permessage-deflate"}, granted{}},
		{"client window without a value", engine.DeflateOptions{}, []string{"permessage-deflate; client_max_window_bits"}, all},
		{"client window of 10", engine.DeflateOptions{}, []string{"permessage-deflate; client_max_window_bits=10"}, granted{clientBits: 10}},
		{"server window of 8", engine.DeflateOptions{}, []string{"permessage-deflate; server_max_window_bits=8"}, granted{serverBits: 8}},
		{"server window of 9", engine.DeflateOptions{}, []string{"permessage-deflate; server_max_window_bits=9"}, granted{serverBits: 9}},
		{"server window of 15", engine.DeflateOptions{}, []string{"permessage-deflate; server_max_window_bits=15"}, granted{serverBits: 15}},
		{"quoted", engine.DeflateOptions{}, []string{`permessage-deflate; server_max_window_bits="9"; client_max_window_bits="11"`}, granted{serverBits: 9, clientBits: 11}},
		{"server forgets", engine.DeflateOptions{}, []string{"permessage-deflate; server_no_context_takeover"}, granted{serverForgets: true}},
		{"client forgets", engine.DeflateOptions{}, []string{"permessage-deflate; client_no_context_takeover"}, granted{}},
		{"all four", engine.DeflateOptions{}, []string{"permessage-deflate;server_no_context_takeover;client_no_context_takeover;server_max_window_bits=12;client_max_window_bits=13"},
			granted{serverForgets: true, serverBits: 12, clientBits: 13}},
		{"a common set of fallbacks", engine.DeflateOptions{}, []string{
			"permessage-deflate; server_no_context_takeover; client_max_window_bits; server_max_window_bits=9, permessage-deflate; client_max_window_bits, permessage-deflate"},
			granted{serverForgets: true, serverBits: 9, clientBits: 15}},
		{"other extensions first", engine.DeflateOptions{}, []string{"x-webkit-deflate-frame; max_window_bits=15, foo; bar=\"baz\", permessage-deflate"}, granted{}},
		{"two lines", engine.DeflateOptions{}, []string{"foo", "permessage-deflate; server_max_window_bits=10"}, granted{serverBits: 10}},
		{"others only", engine.DeflateOptions{}, []string{"permessage-bzip2, x-foo; bar"}, granted{off: true}},
		{"the server forces all", engine.DeflateOptions{ServerNoContextTakeover: 1, ClientNoContextTakeover: 1, ServerMaxWindowBits: 9, ClientMaxWindowBits: 10},
			[]string{"permessage-deflate; client_max_window_bits"}, granted{serverForgets: true, clientForgets: true, serverBits: 9, clientBits: 10, clientBitsMust: true}},
		{"the client's window is limited, the first offer can't be", engine.DeflateOptions{ClientMaxWindowBits: 10},
			[]string{"permessage-deflate, permessage-deflate; client_max_window_bits"}, granted{clientBits: 10, clientBitsMust: true}},
		{"the server wants no less than 12", engine.DeflateOptions{ServerMaxWindowBits: 12},
			[]string{"permessage-deflate; server_max_window_bits=9, permessage-deflate; server_max_window_bits=13"}, granted{serverBits: 12}},
		{"the server keeps its context", engine.DeflateOptions{ServerNoContextTakeover: 2},
			[]string{"permessage-deflate; server_no_context_takeover, permessage-deflate"}, granted{}},
		{"window of 7", engine.DeflateOptions{}, []string{"permessage-deflate; server_max_window_bits=7"}, granted{off: true}},
		{"window of 16", engine.DeflateOptions{}, []string{"permessage-deflate; client_max_window_bits=16"}, granted{off: true}},
		{"window of 08", engine.DeflateOptions{}, []string{"permessage-deflate; server_max_window_bits=08"}, granted{off: true}},
		{"server window without a value", engine.DeflateOptions{}, []string{"permessage-deflate; server_max_window_bits"}, granted{off: true}},
		{"a value where none belongs", engine.DeflateOptions{}, []string{"permessage-deflate; server_no_context_takeover=1"}, granted{off: true}},
		{"unknown parameter", engine.DeflateOptions{}, []string{"permessage-deflate; foo"}, granted{off: true}},
		{"twice the same", engine.DeflateOptions{}, []string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, granted{off: true}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			s, err := serve(engine.ServerOptions{PerMessageDeflate: &x.config})
			if err != nil {
				t.Fatal(err)
			}
			defer shutdown(s)
			answer := negotiate(t, s.Addr().String(), x.offers)
			if why := x.want.refuses(answer); why != "" {
				t.Errorf("%q was answered %q: %s", x.offers, answer, why)
			}
		})
	}
}

// negotiate returns the answer's Sec-WebSocket-Extensions, "" also when the handshake
// was refused.
func negotiate(t *testing.T, addr string, offers []string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := client{Conn: conn, r: bufio.NewReader(conn)}
	c.hurry(t)
	c.write(t, []byte(request+"Sec-WebSocket-Extensions: "+strings.Join(offers, "\r\nSec-WebSocket-Extensions: ")+"\r\n\r\n"))
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header.Values("Sec-WebSocket-Extensions"); len(got) > 1 {
		t.Errorf("two headers: %q", got)
	}
	return res.Header.Get("Sec-WebSocket-Extensions")
}

// refuses says what is wrong with an answer, "" for nothing.
func (g *granted) refuses(answer string) string {
	if g.off || answer == "" {
		if g.off == (answer == "") {
			return ""
		}
		return "on or off is wrong"
	}
	params := strings.Split(strings.ReplaceAll(answer, " ", ""), ";")
	got := map[string]int{}
	for _, p := range params[1:] {
		name, value, has := strings.Cut(p, "=")
		bits, err := strconv.Atoi(value)
		if _, twice := got[name]; twice || has != strings.HasSuffix(name, "bits") || has && (err != nil || bits < 8 || bits > 15) {
			return "malformed " + p
		}
		got[name] = bits
	}
	_, sf := got["server_no_context_takeover"]
	_, cf := got["client_no_context_takeover"]
	sb, cb := got["server_max_window_bits"], got["client_max_window_bits"]
	switch {
	case params[0] != "permessage-deflate":
		return "another extension"
	case g.serverForgets && !sf || g.clientForgets && !cf:
		return "no_context_takeover is missing"
	case g.serverBits > 0 && (sb == 0 || sb > g.serverBits):
		return "server_max_window_bits is missing or too large"
	case cb > g.clientBits || g.clientBitsMust && cb == 0:
		return "client_max_window_bits is too large, missing, or was not offered"
	case len(got) > 4:
		return "unknown parameters"
	}
	return ""
}
