package protocol_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/roost-ws/roost/push/protocol"
)

// The vectors of Pusher's "HTTP API" and "Auth signatures" pages.
const (
	key    = "278d425bdf160c739803"
	secret = "7ad3773142a6692b25b8"
)

func TestRequestSignatureIsTheDocumentedOne(t *testing.T) {
	body := `{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}`
	query := url.Values{
		"auth_key": {key}, "auth_timestamp": {"1353088179"}, "auth_version": {"1.0"},
		"body_md5": {protocol.BodyMD5([]byte(body))}, "auth_signature": {"not part of it"},
	}
	const want = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
	if got := protocol.SignRequest(secret, "post", "/apps/3/events", query); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestRequestSignatureSortsByLowerCaseKeyAndDoesNotEscape(t *testing.T) {
	a := protocol.SignRequest("s", "GET", "/p", url.Values{"auth_key": {"foo"}, "Name": {"Something else"}})
	b := protocol.SignRequest("s", "GET", "/p", url.Values{"auth_key": {"foo"}, "name": {"Something else"}})
	c := protocol.SignRequest("s", "GET", "/p", url.Values{"auth_key": {"foo"}, "name": {"Something+else"}})
	if a != b || a == c {
		t.Errorf("signatures %s %s %s: the first two must be equal, the third not", a, b, c)
	}
}

func TestChannelSignatureIsTheDocumentedOne(t *testing.T) {
	tests := []struct{ channel, data, want string }{
		{"private-foobar", "", "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"},
		{"presence-foobar", `{"user_id":10,"user_info":{"name":"Mr. Channels"}}`, "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80"},
	}
	for _, tt := range tests {
		if got := protocol.SignChannel(key, secret, "1234.1234", tt.channel, tt.data); got != key+":"+tt.want {
			t.Errorf("%s: %s, want %s", tt.channel, got, tt.want)
		}
	}
}

func TestChannelNames(t *testing.T) {
	good := []string{"a", "Az09_-=@,.;", strings.Repeat("x", 164)}
	bad := []string{"", strings.Repeat("x", 165), "a b", "a/b", "a#", "ü", "a\n", "a:b"}
	for _, name := range good {
		if err := protocol.CheckChannel(name); err != nil {
			t.Errorf("%q refused: %v", name, err)
		}
	}
	for _, name := range bad {
		if protocol.CheckChannel(name) == nil {
			t.Errorf("%q accepted", name)
		}
	}
}

func TestEventNames(t *testing.T) {
	for _, name := range []string{"", "pusher:x", "pusher_internal:x", strings.Repeat("x", 201)} {
		if protocol.CheckEvent(name) == nil {
			t.Errorf("%q accepted", name)
		}
	}
	for _, name := range []string{"x", "client-x", "pusher", strings.Repeat("x", 200)} {
		if err := protocol.CheckEvent(name); err != nil {
			t.Errorf("%q refused: %v", name, err)
		}
	}
}

func TestChannelKindsAreToldByPrefix(t *testing.T) {
	tests := []struct {
		name        string
		auth, cache bool
	}{
		{"news", false, false}, {"private-a", true, false}, {"presence-a", true, false},
		{"private-encrypted-a", true, false}, {"cache-a", false, true}, {"private-cache-a", true, true},
		{"presence-cache-a", true, true}, {"private-encrypted-cache-a", true, true},
		{"my-private-a", false, false}, {"a-cache-b", false, false},
	}
	for _, tt := range tests {
		if auth, cache := protocol.NeedsAuth(tt.name), protocol.IsCache(tt.name); auth != tt.auth || cache != tt.cache {
			t.Errorf("%s: auth %v cache %v, want %v %v", tt.name, auth, cache, tt.auth, tt.cache)
		}
	}
}

func TestDataComesAsValueOrAsString(t *testing.T) {
	for _, data := range []string{`{"channel":"c"}`, `"{\"channel\":\"c\"}"`} {
		var v struct{ Channel string }
		if err := protocol.DecodeData(json.RawMessage(data), &v); err != nil || v.Channel != "c" {
			t.Errorf("%s: %+v, %v", data, v, err)
		}
	}
	for data, want := range map[string]string{`"plain"`: "plain", `{"a": 1}`: `{"a": 1}`, "": ""} {
		if got, err := protocol.DataString(json.RawMessage(data)); err != nil || got != want {
			t.Errorf("%s: %q, %v", data, got, err)
		}
	}
}

// FuzzAppendString: what is appended is what encoding/json would read back.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\r\t\x00\x1f", "<b>&amp;", "\u2028 ü 😀", "\xff\xc0a", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(protocol.AppendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if utf8.ValidString(s) && got != s {
			t.Fatalf("%q became %q", s, got)
		}
		var want string
		b, _ := json.Marshal(s)
		if err := json.Unmarshal(b, &want); err != nil || got != want {
			t.Fatalf("%q: got %q, encoding/json %q (%v)", s, got, want, err)
		}
	})
}
