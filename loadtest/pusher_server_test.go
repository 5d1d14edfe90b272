//go:build unix

package loadtest

import (
	"cmp"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

const (
	testKey    = "key"
	testSecret = "secret"
)

// pusherServer is a Pusher server that does as a script says. Its signatures are
// its own, so that those of the harness are checked.
type pusherServer struct {
	t *testing.T
	// deliver is called for each subscriber, in order, and each event, numbered by channel. It runs under mu.
	deliver func(subscriber, event int, send func())
	// answer may refuse a publication, numbered over all.
	answer func(request int) (status int)
	// subscribe may refuse a subscription.
	subscribe func(channel string) bool
	// resume, when not nil, has the server keep history. It is called with the number of the resumption and
	// the events missed, numbered by channel; it returns which are sent, and whether that is said to be all.
	resume func(resumption int, missed []int) (replay []int, recovered bool)

	activity int // seconds; 0 = 30, so that a busy machine makes nobody silent

	mu       sync.Mutex
	sockets  int
	requests int
	channels map[string][]*websocket.Conn
	events   map[string]int
	pings    int
	resumed  int
	log      map[string][]string // frames, by channel
}

func servePusher(t *testing.T, s *pusherServer) (url string) {
	s.t, s.channels, s.events, s.log = t, make(map[string][]*websocket.Conn), make(map[string]int), make(map[string][]string)
	if s.deliver == nil {
		s.deliver = func(_, _ int, send func()) { send() }
	}
	return strings.TrimSuffix(serveHTTP(t, s.serve), "/")
}

func (s *pusherServer) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/apps/1/") {
		s.publish(w, r)
		return
	}
	if r.URL.Path != "/app/"+testKey || r.URL.Query().Get("protocol") != "7" {
		s.t.Errorf("%s was asked for", r.URL)
		return
	}
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	c, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	s.mu.Lock()
	s.sockets++
	id := fmt.Sprintf("1.%d", s.sockets)
	s.write(c, fmt.Sprintf(`{"event":"pusher:connection_established","data":"{\"socket_id\":\"%s\",\"activity_timeout\":%d}"}`, id, cmp.Or(s.activity, 30)))
	s.mu.Unlock()
	for {
		var f struct {
			Event, Channel string
			Data           json.RawMessage
		}
		if err := c.ReadJSON(&f); err != nil {
			return
		}
		s.heard(c, id, f.Event, f.Channel, f.Data)
	}
}

func (s *pusherServer) heard(c *websocket.Conn, id, event, channel string, data json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case event == "pusher:ping":
		s.pings++
		s.write(c, `{"event":"pusher:pong","data":"{}"}`)
	case event == "pusher:subscribe":
		s.join(c, id, data)
	case strings.HasPrefix(event, "client-"):
		s.send(event, channel, string(data), c)
	default:
		s.t.Errorf("event %q came", event)
	}
}

func (s *pusherServer) join(c *websocket.Conn, id string, data json.RawMessage) {
	var d struct {
		Channel, Auth string
		ChannelData   string `json:"channel_data"`
		Position      *struct {
			Epoch string
			Seq   int
		}
	}
	if err := json.Unmarshal(data, &d); err != nil {
		s.t.Error(err)
	}
	text := id + ":" + d.Channel
	if d.ChannelData != "" {
		text += ":" + d.ChannelData
	}
	if public := !strings.HasPrefix(d.Channel, "private-") && !strings.HasPrefix(d.Channel, "presence-"); !public && d.Auth != testKey+":"+sha(text) {
		s.t.Errorf("auth %q of %q", d.Auth, text)
	}
	if strings.HasPrefix(d.Channel, "presence-") != (d.ChannelData != "") {
		s.t.Errorf("channel_data %q of %s", d.ChannelData, d.Channel)
	}
	if s.subscribe != nil && !s.subscribe(d.Channel) {
		s.write(c, `{"event":"pusher:subscription_error","channel":"`+d.Channel+`","data":{"type":"AuthError","error":"no\u001b[2J","status":401}}`)
		return
	}
	s.channels[d.Channel] = append(s.channels[d.Channel], c)
	if s.resume == nil {
		s.write(c, `{"event":"pusher_internal:subscription_succeeded","channel":"`+d.Channel+`","data":"{}"}`)
		return
	}
	from, recovered := len(s.log[d.Channel]), false
	var replay []int
	if p := d.Position; p != nil {
		if p.Epoch != "e" || p.Seq > from {
			s.t.Errorf("position %+v of an event that was not sent", p)
		}
		var missed []int
		for n := p.Seq; n < from; n++ {
			missed = append(missed, n)
		}
		replay, recovered = s.resume(s.resumed, missed)
		s.resumed++
	}
	s.write(c, fmt.Sprintf(`{"event":"pusher_internal:subscription_succeeded","channel":"%s","data":"{\"recovered\":%t,\"position\":{\"epoch\":\"e\",\"seq\":%d}}"}`, d.Channel, recovered, from))
	for _, n := range replay {
		s.write(c, s.log[d.Channel][n])
	}
}

func (s *pusherServer) write(c *websocket.Conn, text string) {
	_ = c.WriteMessage(websocket.TextMessage, []byte(text)) // its reader sees the end
}

func (s *pusherServer) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.check(r, body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.answer != nil {
		if status := s.answer(s.requests - 1); status != http.StatusOK {
			http.Error(w, `{"error":"no"}`, status)
			return
		}
	}
	type event struct{ Name, Channel, Data string }
	var one struct {
		event
		Batch []event
	}
	if err := json.Unmarshal(body, &one); err != nil {
		s.t.Error(err)
	}
	if strings.HasSuffix(r.URL.Path, "/events") {
		one.Batch = []event{one.event}
	}
	for _, e := range one.Batch {
		data, _ := json.Marshal(e.Data)
		s.send(e.Name, e.Channel, string(data), nil)
	}
	_, _ = io.WriteString(w, "{}")
}

// check compares the request's signature.
func (s *pusherServer) check(r *http.Request, body []byte) {
	q := r.URL.Query()
	sum := md5.Sum(body)
	got := q.Get("auth_signature")
	q.Del("auth_signature")
	plain, _ := url.QueryUnescape(q.Encode())
	if want := sha("POST\n" + r.URL.Path + "\n" + plain); got != want || q.Get("body_md5") != hex.EncodeToString(sum[:]) {
		s.t.Errorf("%s is signed wrong", r.URL)
	}
}

// send delivers an event, as the script says.
func (s *pusherServer) send(event, channel, data string, except *websocket.Conn) {
	n := s.events[channel]
	s.events[channel]++
	frame := `{"channel":"` + channel + `", "data":` + data + `, "event":"` + event + `"}`
	if s.resume != nil {
		frame = fmt.Sprintf(`%s,"position":{"epoch":"e","seq":%d}}`, frame[:len(frame)-1], n+1)
		s.log[channel] = append(s.log[channel], frame)
	}
	for i, c := range s.channels[channel] {
		if c == except {
			continue
		}
		s.deliver(i, n, func() { s.write(c, frame) })
	}
}

func sha(text string) string {
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
