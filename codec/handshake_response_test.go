package codec_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

func TestNewKeyIsSixteenFreshBytes(t *testing.T) {
	a, b := codec.NewKey(), codec.NewKey()
	raw, err := base64.StdEncoding.DecodeString(a)
	if err != nil || len(raw) != 16 || a == b {
		t.Errorf("keys %q and %q, %v", a, b, err)
	}
}

func TestResponseParse(t *testing.T) {
	for in, want := range map[string]struct {
		status int
		phrase string
	}{
		"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n": {101, "Switching Protocols"},
		"HTTP/1.0 404 \r\n\r\n":                            {404, ""},
		"HTTP/1.1 200\r\n\r\n":                             {200, ""},
		"HTTP/1.1 999 \xe9\t\r\n\r\n":                      {999, "\xe9\t"},
		"HTTP/2.0 101 x\r\n\r\n":                           {},
		"HTTP/1.1 099 x\r\n\r\n":                           {},
		"HTTP/1.1 10 x\r\n\r\n":                            {},
		"HTTP/1.1 1010 x\r\n\r\n":                          {},
		"HTTP/1.1 +10 x\r\n\r\n":                           {},
		"HTTP/1.1  101 x\r\n\r\n":                          {},
		"HTTP/1.1 101 a\x00b\r\n\r\n":                      {},
		"\r\nHTTP/1.1 101 x\r\n\r\n":                       {},
		"101\r\n\r\n":                                      {},
		"":                                                 {},
		"HTTP/1.1 101 x\r\nA : b\r\n\r\n":                  {},
		"HTTP/1.1 101 x\r\nA: b\r\n c\r\n\r\n":             {},
		"HTTP/1.1 101 x\r\nA: b\r\n":                       {},
	} {
		var r codec.Response
		err := r.Parse([]byte(in))
		if want.status == 0 {
			if e := (*codec.DialError)(nil); !errors.As(err, &e) || e.Msg == "" {
				t.Errorf("%q: %v, want a *DialError", in, err)
			}
		} else if err != nil || r.Status != want.status || string(r.Phrase) != want.phrase {
			t.Errorf("%q: %d %q, %v", in, r.Status, r.Phrase, err)
		}
	}
}

func TestCheckAccept(t *testing.T) {
	const line, upgrade, connection = "HTTP/1.1 101 x\r\n", "Upgrade: WebSocket\r\n", "Connection: x, upgrade\r\n"
	const accept = "Sec-WebSocket-Accept: " + sampleAccept + "\r\n"
	const good = line + upgrade + connection + accept
	const protocol = "Sec-WebSocket-Protocol: "
	ab := []string{"a", "b"}
	for name, tt := range map[string]struct {
		in        string
		protocols []string
		want, err string
	}{
		"accepted":             {good, nil, "", ""},
		"protocol chosen":      {good + protocol + "b\r\n", ab, "b", ""},
		"status":               {strings.Replace(good, "101", "200", 1), nil, "", "Unexpected server response: 200"},
		"no Upgrade":           {line + connection + accept, nil, "", "Invalid Upgrade header"},
		"Upgrade foo":          {line + "Upgrade: foo\r\n" + connection + accept, nil, "", "Invalid Upgrade header"},
		"Upgrade doubled":      {good + upgrade, nil, "", "Invalid Upgrade header"},
		"no Connection":        {line + upgrade + accept, nil, "", "Invalid Connection header"},
		"no accept":            {line + upgrade + connection, nil, "", "Invalid Sec-WebSocket-Accept header"},
		"accept of other case": {strings.Replace(good, "s3p", "S3p", 1), nil, "", "Invalid Sec-WebSocket-Accept header"},
		"accept doubled":       {good + accept, nil, "", "Invalid Sec-WebSocket-Accept header"},
		"protocol unasked":     {good + protocol + "a\r\n", nil, "", "Server sent a subprotocol but none was requested"},
		"empty one unasked":    {good + protocol + "\r\n", nil, "", "Server sent a subprotocol but none was requested"},
		"protocol not offered": {good + protocol + "c\r\n", ab, "", "Server sent an invalid subprotocol"},
		"protocol other case":  {good + protocol + "A\r\n", ab, "", "Server sent an invalid subprotocol"},
		"two protocols":        {good + protocol + "a\r\n" + protocol + "b\r\n", ab, "", "Server sent an invalid subprotocol"},
		"no protocol":          {good, ab, "", "Server sent no subprotocol"},
	} {
		var r codec.Response
		if err := r.Parse([]byte(tt.in + "\r\n")); err != nil {
			t.Fatal(name, err)
		}
		got, err := r.CheckAccept(sampleKey, tt.protocols)
		var e *codec.DialError
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && (!errors.As(err, &e) || e.Msg != tt.err || e.Status != r.Status) {
			t.Errorf("%s: %q, %v; want %q, %q", name, got, err, tt.want, tt.err)
		}
	}
}

func TestClientAndServerAgree(t *testing.T) {
	key, offered := codec.NewKey(), []string{"v2", "v1"}
	wire := codec.AppendUpgradeRequest(nil, "localhost", "/ws", key, offered, "", nil)
	r := parseRequest(t, string(wire))
	if err := r.CheckUpgrade(); err != nil || !r.WantsUpgrade() {
		t.Fatal(err)
	}
	names, err := codec.ParseProtocols(r.Joined("Sec-WebSocket-Protocol"))
	if err != nil {
		t.Fatal(err)
	}
	answer := codec.AppendSwitching(nil, r.Get("Sec-WebSocket-Key"), names[1], "", nil)
	n, err := codec.ScanHead(answer, 0, 4096)
	if err != nil || n != len(answer) {
		t.Fatal(n, err)
	}
	var res codec.Response
	if err := res.Parse(answer); err != nil {
		t.Fatal(err)
	}
	if got, err := res.CheckAccept(key, offered); got != "v1" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
