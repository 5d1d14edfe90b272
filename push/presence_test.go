package push_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/internal/testio"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// present is the presence part of a confirmation.
type present struct {
	Presence struct {
		Count int
		IDs   []string
		Hash  map[string]json.RawMessage
	}
}

// ask subscribes with a signature where the channel needs one.
func (p *peer) ask(channel, channelData string) {
	p.t.Helper()
	d := map[string]any{"channel": channel}
	if protocol.NeedsAuth(channel) {
		d["auth"] = protocol.SignChannel(app.Key, app.Secret, p.id, channel, channelData)
	}
	if channelData != "" {
		d["channel_data"] = channelData
	}
	p.send(protocol.EventSubscribe, d)
}

func (p *peer) enter(channel, user, info string) (got present) {
	p.t.Helper()
	p.ask(channel, fmt.Sprintf(`{"user_id":%q,"user_info":%s}`, user, info))
	if err := protocol.DecodeData(p.expect(protocol.EventSubscribed).Data, &got); err != nil {
		p.t.Fatal(err)
	}
	return got
}

// expectMember wants a member event about that user.
func (p *peer) expectMember(event, user string) {
	p.t.Helper()
	var d struct {
		UserID string `json:"user_id"`
	}
	if err := protocol.DecodeData(p.expect(event).Data, &d); err != nil || d.UserID != user {
		p.t.Errorf("%s of %q, want %q (%v)", event, d.UserID, user, err)
	}
}

func TestPresenceTellsWhoIsThereAndWhoComesAndGoes(t *testing.T) {
	r := start(t, push.Options{})
	a := r.connect()
	if got := a.enter("presence-room", "ann", `{"name":"Ann"}`); got.Presence.Count != 1 || string(got.Presence.Hash["ann"]) != `{"name":"Ann"}` {
		t.Errorf("first: %+v", got)
	}
	b := r.connect()
	if got := b.enter("presence-room", "bob", `null`); !slices.Equal(got.Presence.IDs, []string{"ann", "bob"}) || got.Presence.Count != 2 {
		t.Errorf("second: %+v", got)
	}
	a.expectMember(protocol.EventMemberAdded, "bob")
	b.fence() // nobody is told of himself
	second := r.connect()
	second.enter("presence-room", "bob", `null`)
	second.conn.CloseNow()
	if status, body := r.request("GET", "/apps/3/channels/presence-room/users", "", ""); status != 200 || body != `{"users":[{"id":"ann"},{"id":"bob"}]}` {
		t.Errorf("users: %d %s", status, body)
	}
	b.send(protocol.EventUnsubscribe, map[string]string{"channel": "presence-room"})
	b.fence()
	eventually(t, "bob's other connection has gone too", func() bool {
		_, body := r.request("GET", "/apps/3/channels/presence-room", "info=user_count,subscription_count", "")
		return body == `{"occupied":true,"subscription_count":1,"user_count":1}`
	})
	a.expectMember(protocol.EventMemberRemoved, "bob") // once, and nothing of his second connection
	a.fence()
}

func TestPresenceKeepsToItsLimits(t *testing.T) {
	r := start(t, push.Options{Limits: push.Limits{MaxMembers: 2, MaxUserInfo: 100}})
	r.connect().enter("presence-room", "a", "{}")
	r.connect().enter("presence-room", "b", "{}")
	p := r.connect()
	for _, data := range []string{
		"", "x", "{}", `{"user_id":""}`, `{"user_id":{}}`, `{"user_id":"` + strings.Repeat("u", 129) + `"}`,
		`{"user_id":"a","user_info":"` + strings.Repeat("i", 100) + `"}`, `{"user_id":"c"}`,
	} {
		p.ask("presence-room", data)
		if f := p.expect(protocol.EventSubscriptionError); strings.Contains(string(f.Data), app.Secret) {
			t.Errorf("%s", f.Data)
		}
	}
	p.enter("presence-room", "b", "{}") // who is there already needs no room
	p.send(protocol.EventSubscribe, map[string]string{"channel": "presence-room", "auth": protocol.SignChannel(app.Key, app.Secret, p.id, "presence-room", ""), "channel_data": `{"user_id":"x"}`})
	p.expect(protocol.EventError) // subscribed already
	if got := r.metric("roost_push_subscriptions"); got != "3" {
		t.Errorf("%s subscriptions, want 3: a refused one was kept", got)
	}
}

// Who joins a channel whose list of members a connection has no room for is refused:
// closed, it would come back for the same.
func TestAListOfMembersThatIsTooLargeIsRefused(t *testing.T) {
	var log testio.Log
	o := push.Options{Limits: push.Limits{MaxMembers: 5, MaxUserInfo: 4 << 10}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	r := startAt(t, engine.ServerOptions{MaxOutbox: 20 << 10}, o)
	info := `"` + strings.Repeat("i", 3<<10) + `"`
	for _, user := range []string{"a", "b", "c"} {
		r.connect().enter("presence-room", user, info)
	}
	p := r.connect()
	p.ask("presence-room", fmt.Sprintf(`{"user_id":"d","user_info":%s}`, info))
	var d struct {
		Type, Error string
		Status      int
	}
	if err := protocol.DecodeData(p.expect(protocol.EventSubscriptionError).Data, &d); err != nil || d.Type != "LimitReached" || d.Status != 413 || !strings.Contains(d.Error, "may have 10240") {
		t.Errorf("%+v %v", d, err)
	}
	p.fence()
	r.answers("/channels/presence-room/users", "", `{"users":[{"id":"a"},{"id":"b"},{"id":"c"}]}`)
	if text := log.String(); !strings.Contains(text, "max_members=5 max_user_info=4096 bytes=20480 half_of_max_outbox=10240") {
		t.Errorf("the log does not warn:\n%s", text)
	}
}

func TestNumbersAreUserIDsToo(t *testing.T) {
	r := start(t, push.Options{})
	p := r.connect()
	p.ask("presence-room", `{"user_id":17}`)
	var got present
	if err := protocol.DecodeData(p.expect(protocol.EventSubscribed).Data, &got); err != nil || !slices.Equal(got.Presence.IDs, []string{"17"}) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestClientEventsReachTheOthers(t *testing.T) {
	a := app
	a.ClientEvents = true
	r := start(t, push.Options{App: a, Limits: push.Limits{ClientEventRate: 3, MaxData: 100}})
	p, q := r.connect(), r.connect()
	for _, one := range []struct {
		p    *peer
		user string
	}{{p, "p"}, {q, "q"}} {
		one.p.enter("presence-room", one.user, "{}")
		one.p.ask("private-room", "")
		one.p.expect(protocol.EventSubscribed)
		one.p.ask("private-encrypted-room", "")
		one.p.expect(protocol.EventSubscribed)
		one.p.ask("news", "")
		one.p.expect(protocol.EventSubscribed)
	}
	p.expectMember(protocol.EventMemberAdded, "q")
	p.sendText(`{"event":"client-typing","channel":"presence-room","data":{"n":1}}`)
	if f := q.expect("client-typing"); f.UserID != "p" || string(f.Data) != `"{\"n\":1}"` || f.Channel != "presence-room" {
		t.Errorf("got %+v", f)
	}
	p.sendText(`{"event":"client-typing","channel":"private-room","data":"text"}`)
	if f := q.expect("client-typing"); f.UserID != "" || string(f.Data) != `"text"` {
		t.Errorf("got %+v", f)
	}
	p.fence() // not echoed
	for _, text := range []string{
		`{"event":"client-x","channel":"news","data":{}}`, `{"event":"client-x","channel":"private-encrypted-room","data":{}}`,
		`{"event":"client-x","channel":"private-other","data":{}}`, `{"event":"client-x","data":{}}`,
		`{"event":"client-` + strings.Repeat("x", 200) + `","channel":"private-room","data":{}}`,
		`{"event":"client-x","channel":"private-room","data":"` + strings.Repeat("x", 101) + `"}`,
	} {
		p.sendText(text)
		p.expectError(0)
	}
	for range 2 {
		p.sendText(`{"event":"client-last","channel":"private-room","data":{}}`)
	}
	p.expectError(protocol.CodeClientEvent) // the fourth in less than a second
	q.expect("client-last")
	q.fence()
}

func TestClientEventsMustBeEnabled(t *testing.T) {
	r := start(t, push.Options{})
	p := r.connect()
	p.ask("private-room", "")
	p.expect(protocol.EventSubscribed)
	p.sendText(`{"event":"client-x","channel":"private-room","data":{}}`)
	p.expectError(0)
}

// However joining and leaving cross, whoever adds up the snapshot and the events
// after it knows who is there.
func TestMemberEventsAddUpToTheMembers(t *testing.T) {
	r := start(t, push.Options{Limits: push.Limits{MessageRate: 1e6, MessageBurst: 1e6}})
	const channel, peers, rounds = "presence-room", 6, 40
	var wg sync.WaitGroup
	watchers := make([]*peer, 3)
	for i := range peers {
		p := r.connect()
		wg.Go(func() {
			data := fmt.Sprintf(`{"user_id":"u%d"}`, i/2) // two connections a user
			for range rounds {
				p.ask(channel, data)
				p.send(protocol.EventUnsubscribe, map[string]string{"channel": channel})
			}
			p.ask(channel, fmt.Sprintf(`{"user_id":"last%d"}`, i))
			p.until(protocol.EventMemberAdded, `{"user_id":"end"}`)
		})
	}
	there := make([]map[string]bool, len(watchers))
	for i := range watchers {
		w := r.connect()
		there[i] = map[string]bool{}
		for _, id := range w.enter(channel, fmt.Sprintf("watcher%d", i), "null").Presence.IDs {
			there[i][id] = true
		}
		wg.Go(func() { w.addUp(there[i]) })
	}
	eventually(t, "the last ones have come", func() bool {
		_, body := r.request("GET", "/apps/3/channels/"+channel+"/users", "", "")
		return strings.Count(body, "last") == peers && strings.Count(body, "watcher") == len(watchers) && !strings.Contains(body, `"id":"u`)
	})
	r.connect().ask(channel, `{"user_id":"end"}`)
	wg.Wait()
	for i, got := range there {
		if len(got) != peers+len(watchers)+1 {
			t.Errorf("watcher %d counts %v", i, got)
		}
	}
}

// addUp follows the member events until "end" has come.
func (p *peer) addUp(there map[string]bool) {
	for !there["end"] {
		f, err := p.read()
		var d struct {
			UserID string `json:"user_id"`
		}
		if err == nil {
			err = protocol.DecodeData(f.Data, &d)
		}
		if err != nil {
			p.t.Error(err)
			return
		}
		switch f.Event {
		case protocol.EventMemberAdded:
			there[d.UserID] = true
		case protocol.EventMemberRemoved:
			delete(there, d.UserID)
		}
	}
}
