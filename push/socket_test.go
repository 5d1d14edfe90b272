package push_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

func TestGreetingHasSocketIDAndActivityTimeout(t *testing.T) {
	r := start(t, push.Options{})
	p := r.dial("/app/" + app.Key + "?protocol=7&client=js&version=8.4.0&flash=false")
	f := p.expect(protocol.EventConnected)
	var text string
	if err := json.Unmarshal(f.Data, &text); err != nil {
		t.Fatalf("data must be a string that holds JSON: %s", f.Data)
	}
	var hello struct {
		SocketID        string `json:"socket_id"`
		ActivityTimeout int    `json:"activity_timeout"`
	}
	if err := json.Unmarshal([]byte(text), &hello); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^\d+\.\d+$`).MatchString(hello.SocketID) || hello.ActivityTimeout != 120 {
		t.Errorf("greeting %+v", hello)
	}
}

func TestRefusedConnectionsGetTheCodeOfTheProtocol(t *testing.T) {
	r := start(t, push.Options{})
	tests := []struct {
		target string
		code   int
		legacy bool // an error comes first: who asks may not read close codes
	}{
		{"/app/wrong?protocol=7", protocol.CodeUnknownApp, false},
		{"/app/wrong?protocol=5", protocol.CodeUnknownApp, true},
		{"/app/" + app.Key + "x?protocol=7", protocol.CodeUnknownApp, false},
		{"/elsewhere?protocol=7", protocol.CodeUnknownPath, false},
		{"/app/" + app.Key, protocol.CodeNoProtocol, true},
		{"/app/" + app.Key + "?protocol=4", protocol.CodeUnsupportedProtocol, true},
		{"/app/" + app.Key + "?protocol=8", protocol.CodeUnsupportedProtocol, false},
		{"/app/" + app.Key + "?protocol=seven", protocol.CodeUnsupportedProtocol, true},
		{"/app/" + app.Key + "?protocol=7&version=%22x", protocol.CodeInvalidVersion, false},
	}
	for _, tt := range tests {
		p := r.dial(tt.target)
		if tt.legacy {
			p.expectError(tt.code)
		}
		p.expectClose(tt.code)
	}
	if got := r.metric("roost_push_connections"); got != "0" {
		t.Errorf("%s connections counted, want 0", got)
	}
}

func TestPingIsAnsweredAndPongIsNot(t *testing.T) {
	p := start(t, push.Options{}).connect()
	p.sendText(`{"event":"pusher:pong","data":{}}`)
	p.sendText(`{"event":"pusher:ping"}`)
	p.expect(protocol.EventPong)
	p.fence()
}

func TestSubscribersGetWhatIsPublishedAfterTheConfirmation(t *testing.T) {
	r := start(t, push.Options{})
	a, b := r.subscriber("news", "sport"), r.subscriber("sport")
	r.publish(`{"name":"e","channels":["news"],"data":"{\"n\":1}"}`)
	r.publish(`{"name":"e","channels":["sport","news","sport"],"data":"two"}`)
	for _, want := range []struct {
		p             *peer
		channel, data string
	}{{a, "news", `"{\"n\":1}"`}, {a, "sport", `"two"`}, {a, "news", `"two"`}, {b, "sport", `"two"`}} {
		f := want.p.expect("e")
		if string(f.Data) != want.data {
			t.Errorf("data %s, want %s", f.Data, want.data)
		}
	}
	a.fence()
	b.fence()
}

func TestDataOfASubscriptionMayBeAString(t *testing.T) {
	r := start(t, push.Options{})
	p := r.connect()
	p.send(protocol.EventSubscribe, `{"channel":"news"}`)
	if f := p.expect(protocol.EventSubscribed); f.Channel != "news" || string(f.Data) != `"{}"` {
		t.Errorf("confirmation %+v", f)
	}
}

func TestUnsubscribedMeansSilence(t *testing.T) {
	r := start(t, push.Options{})
	p := r.subscriber("a", "b")
	p.send(protocol.EventUnsubscribe, map[string]string{"channel": "a"})
	p.send(protocol.EventUnsubscribe, map[string]string{"channel": "never"})
	p.fence()
	r.publish(`{"name":"e","channels":["a"],"data":""}`)
	r.publish(`{"name":"e","channels":["b"],"data":""}`)
	if f := p.expect("e"); f.Channel != "b" {
		t.Errorf("got channel %s", f.Channel)
	}
	p.send(protocol.EventSubscribe, map[string]string{"channel": "a"})
	p.expect(protocol.EventSubscribed)
}

func TestSecondSubscriptionIsAnErrorAndDeliversOnce(t *testing.T) {
	r := start(t, push.Options{})
	p := r.subscriber("a")
	p.send(protocol.EventSubscribe, map[string]string{"channel": "a"})
	p.expect(protocol.EventError)
	r.publish(`{"name":"e","channels":["a"],"data":""}`)
	p.expect("e")
	p.fence()
}

func TestPrivateChannelsNeedASignature(t *testing.T) {
	r := start(t, push.Options{})
	p := r.connect()
	good := protocol.SignChannel(app.Key, app.Secret, p.id, "private-a", "")
	for _, auth := range []string{
		"", "x", good[:len(good)-1] + "z",
		protocol.SignChannel(app.Key, "wrong", p.id, "private-a", ""),
		protocol.SignChannel("other", app.Secret, p.id, "private-a", ""),
		protocol.SignChannel(app.Key, app.Secret, "1.1", "private-a", ""),
		protocol.SignChannel(app.Key, app.Secret, p.id, "private-b", ""),
	} {
		p.send(protocol.EventSubscribe, map[string]string{"channel": "private-a", "auth": auth})
		f := p.expect(protocol.EventSubscriptionError)
		var d struct {
			Type   string
			Status int
		}
		if err := protocol.DecodeData(f.Data, &d); err != nil || f.Channel != "private-a" || d.Type != "AuthError" || d.Status != 401 {
			t.Errorf("auth %q: %s %s", auth, f.Channel, f.Data)
		}
		if strings.Contains(string(f.Data), app.Secret) || strings.Contains(string(f.Data), good) {
			t.Errorf("the refusal gives the signature away: %s", f.Data)
		}
	}
	p.send(protocol.EventSubscribe, map[string]string{"channel": "private-a", "auth": good})
	p.expect(protocol.EventSubscribed)
	r.publish(`{"name":"e","channels":["private-a"],"data":""}`)
	p.expect("e")
}

func TestRefusedSubscriptionsSayWhy(t *testing.T) {
	r := start(t, push.Options{Limits: push.Limits{MaxChannels: 2}})
	p := r.subscriber("a", "b")
	for _, name := range []string{"", "a b", strings.Repeat("x", 165), "c", "presence-a", "#server-to-user-1"} {
		p.send(protocol.EventSubscribe, map[string]string{"channel": name})
		p.expect(protocol.EventSubscriptionError)
	}
	p.send(protocol.EventUnsubscribe, map[string]string{"channel": "a"})
	p.send(protocol.EventSubscribe, map[string]string{"channel": "c"})
	p.expect(protocol.EventSubscribed)
}

func TestCacheChannelsReportAMiss(t *testing.T) {
	p := start(t, push.Options{}).subscriber("cache-a")
	if f := p.expect(protocol.EventCacheMiss); f.Channel != "cache-a" {
		t.Errorf("miss of %s", f.Channel)
	}
}

func TestMessagesThatAreNotUnderstoodDoNotEndTheConnection(t *testing.T) {
	p := start(t, push.Options{}).connect()
	for _, text := range []string{
		"", "x", "[]", `"s"`, "null", "{}", `{"event":7}`, `{"event":"pusher:subscribe"}`, `{"event":"pusher:subscribe","data":7}`,
		`{"event":"pusher:subscribe","data":"x"}`, `{"event":"pusher:unsubscribe","data":[]}`, `{"event":"client-x","channel":"private-a","data":{}}`,
		`{"event":"pusher:signin","data":7}`, `{"event":"client-x","channel":"news","data":{}}`, strings.Repeat("[", 5000), `{"event":"` + strings.Repeat("é", 3000) + `"}`,
	} {
		p.sendText(text)
		p.expect(protocol.EventError)
	}
	p.fence()
}

func TestBinaryMessagesCloseWith1003(t *testing.T) {
	p := start(t, push.Options{}).connect()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.conn.Write(ctx, websocket.MessageBinary, []byte(`{"event":"pusher:ping"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.read(); websocket.CloseStatus(err) != 1003 {
		t.Errorf("ended with %v", err)
	}
}

func TestTooLongMessagesCloseWith1009(t *testing.T) {
	p := start(t, push.Options{MaxMessage: 100}).connect()
	p.sendText(`{"event":"pusher:ping","data":"` + strings.Repeat("x", 100) + `"}`)
	if _, err := p.read(); websocket.CloseStatus(err) != 1009 {
		t.Errorf("ended with %v", err)
	}
}

func TestTooManyMessagesCloseWith4100(t *testing.T) {
	p := start(t, push.Options{Limits: push.Limits{MessageRate: 1, MessageBurst: 3}}).connect()
	for range 4 {
		p.sendText(`{"event":"pusher:pong"}`)
	}
	p.expectClose(protocol.CodeOverCapacity)
}

func TestOriginsAreCheckedWhenGiven(t *testing.T) {
	r := start(t, push.Options{AllowedOrigins: []string{"https://good.example"}})
	for origin, want := range map[string]int{"": 101, "https://good.example": 101, "https://evil.example": 403, "null": 403} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, res, err := websocket.Dial(ctx, "ws://"+r.addr+"/app/"+app.Key+"?protocol=7", &websocket.DialOptions{HTTPHeader: header})
		if res == nil || res.StatusCode != want {
			t.Errorf("origin %q: %v (%v), want %d", origin, res, err, want)
		}
		if err == nil {
			conn.CloseNow()
		}
	}
}

// Silence beyond the activity and the pong timeout ends a connection with 4201, and an
// answer to the server's ping is a sign of life.
func TestWhoAnswersNoPingIsClosedWith4201(t *testing.T) {
	r := start(t, push.Options{ActivityTimeout: time.Second, PongTimeout: time.Second})
	dial := func(answers bool) *peer {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		conn, _, err := websocket.Dial(ctx, "ws://"+r.addr+"/app/"+app.Key+"?protocol=7", &websocket.DialOptions{
			OnPingReceived: func(context.Context, []byte) bool { return answers },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.CloseNow() })
		p := &peer{t: t, conn: conn}
		p.expect(protocol.EventConnected)
		return p
	}
	alive, dead := dial(true), dial(false)
	ended := make(chan error, 1)
	go func() {
		_, err := alive.read() // which answers pings
		ended <- err
	}()
	began := time.Now()
	dead.expectClose(protocol.CodePongTimeout)
	if d := time.Since(began); d < 1900*time.Millisecond {
		t.Errorf("closed after %v", d)
	}
	select {
	case err := <-ended:
		t.Errorf("who answers is closed too: %v", err)
	default:
	}
}
