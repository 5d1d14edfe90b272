package push_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// FuzzClientMessage: whatever a client sends, the server answers the ping after
// it, in frames that are JSON, or closes.
func FuzzClientMessage(f *testing.F) {
	for _, s := range []string{
		`{"event":"pusher:subscribe","data":{"channel":"c"}}`, `{"event":"pusher:subscribe","data":"{\"channel\":\"private-c\",\"auth\":\"k:s\"}"}`,
		`{"event":"pusher:unsubscribe","data":{"channel":"c"}}`, `{"event":"pusher:pong"}`, `{"event":"client-x","channel":"c","data":null}`,
		`{"event":"\ud800","data":"\u0000"}`, `[[[[`, `{"event":"pusher:subscribe","data":{"channel":7}}`, "\x00", `{"event":{"event":{}}}`,
	} {
		f.Add(s)
	}
	r := start(f, push.Options{})
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 10<<10 {
			return
		}
		p := r.as(t).connect()
		p.sendText(strings.ToValidUTF8(s, "?"))
		p.send(protocol.EventPing, struct{}{})
		for {
			frame, err := p.read()
			if err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			if frame.Event == protocol.EventPong {
				break
			}
		}
		p.conn.CloseNow()
	})
}

// FuzzAPIBody: a signed body is accepted, or refused with a status from 400 and
// an error that is JSON; never a panic, never a 500.
func FuzzAPIBody(f *testing.F) {
	for _, s := range []string{
		`{"name":"e","channels":["c"],"data":"x"}`, `{"name":"e","channel":"c","data":{"a":[1,null]},"socket_id":"1.2","info":"subscription_count"}`,
		`{"batch":[{"name":"e","channel":"c","data":""}]}`, `{"name":"e","channels":null,"data":"\ud800"}`, `null`, `[]`, `{"data":`, ``,
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	s, err := push.New(push.Options{App: app})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, body string, batch bool) {
		path := "/apps/3/events"
		if batch {
			path = "/apps/3/batch_events"
		}
		q := url.Values{
			"auth_key": {app.Key}, "auth_version": {"1.0"}, "body_md5": {protocol.BodyMD5([]byte(body))},
			"auth_timestamp": {strconv.FormatInt(time.Now().Unix(), 10)},
		}
		q.Set("auth_signature", protocol.SignRequest(app.Secret, "POST", path, q))
		w := httptest.NewRecorder()
		s.HTTP().ServeHTTP(w, httptest.NewRequest("POST", path+"?"+q.Encode(), strings.NewReader(body)))
		text, _ := io.ReadAll(w.Body)
		switch w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("%q: %d %s", body, w.Code, text)
		}
		var answer struct{ Error string }
		if err := json.Unmarshal(text, &answer); err != nil || (answer.Error == "") != (w.Code == http.StatusOK) {
			t.Fatalf("%q: %d %s", body, w.Code, text)
		}
	})
}

// FuzzAPIQuery: a signed question is answered, or refused with a status from 400 and
// an error that is JSON, whatever its path and query are.
func FuzzAPIQuery(f *testing.F) {
	for _, s := range []string{"", "news", "presence-a", "presence-a/users", "%00", "%zz", "..", "a/b/c"} {
		for _, q := range []string{"", "info=user_count", "filter_by_prefix=presence-&info=user_count,subscription_count", "info=%00&filter_by_prefix=%ff", "a=1&a=2", "x%"} {
			f.Add(s, q)
		}
	}
	s, err := push.New(push.Options{App: app})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, name, query string) {
		path := "/apps/3/channels/" + name
		at := &url.URL{Path: path}
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q.Set("auth_key", app.Key)
		q.Set("auth_version", "1.0")
		q.Set("auth_timestamp", strconv.FormatInt(time.Now().Unix(), 10))
		q.Del("auth_signature")
		q.Set("auth_signature", protocol.SignRequest(app.Secret, "GET", path, q))
		at.RawQuery = q.Encode()
		w := httptest.NewRecorder()
		s.HTTP().ServeHTTP(w, &http.Request{Method: "GET", URL: at, Host: "localhost", RequestURI: at.RequestURI(), Header: http.Header{}, Body: http.NoBody})
		if w.Code >= 500 || w.Code == 200 && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%q %q: %d %s", name, query, w.Code, w.Body)
		}
	})
}
