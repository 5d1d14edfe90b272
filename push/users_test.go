package push_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

func (p *peer) signin(userData string) {
	p.t.Helper()
	p.send(protocol.EventSignin, map[string]string{"user_data": userData, "auth": protocol.SignUser(app.Key, app.Secret, p.id, userData)})
}

func (p *peer) expectWatchlist(want string) {
	p.t.Helper()
	got, err := protocol.DataString(p.expect(protocol.EventWatchlist).Data)
	if err != nil || got != want {
		p.t.Errorf("watchlist says %s, want %s (%v)", got, want, err)
	}
}

func TestSignedInUsersGetWhatIsForThem(t *testing.T) {
	r := start(t, push.Options{})
	p, q := r.connect(), r.connect()
	p.signin(`{"id":"ann"}`)
	var d struct {
		UserData string `json:"user_data"`
	}
	if err := protocol.DecodeData(p.expect(protocol.EventSigninSuccess).Data, &d); err != nil || d.UserData != `{"id":"ann"}` {
		t.Errorf("%+v %v", d, err)
	}
	for _, one := range []*peer{p, q} {
		one.ask(protocol.UserChannel("ann"), "")
	}
	p.expect(protocol.EventSubscribed)
	q.expect(protocol.EventSubscriptionError)
	r.publish(`{"name":"e","channels":["#server-to-user-ann"],"data":"for you"}`)
	if f := p.expect("e"); f.Channel != "#server-to-user-ann" {
		t.Errorf("got %+v", f)
	}
	q.fence()
	if _, body := r.request("GET", "/apps/3/channels", "", ""); body != `{"channels":{}}` {
		t.Errorf("the list shows users: %s", body)
	}
	p.signin(`{"id":"bob"}`)
	p.expectError(0)
}

func TestWrongSigninsCloseWith4009(t *testing.T) {
	r := start(t, push.Options{Limits: push.Limits{MaxWatchlist: 1}})
	for _, data := range []string{"", "x", "{}", `{"id":7}`, `{"id":"a","watchlist":["b","c"]}`, `{"id":"` + string(make([]byte, 3)) + `"}`,
		`{"id":"\u0001` + strings.Repeat("é", 60) + `"}`, // its reason is cut within an é
	} {
		p := r.connect()
		p.signin(data)
		p.expectClose(protocol.CodeUnauthorized)
	}
	p := r.connect()
	p.send(protocol.EventSignin, map[string]string{"user_data": `{"id":"a"}`, "auth": protocol.SignUser(app.Key, app.Secret, "1.1", `{"id":"a"}`)})
	p.expectClose(protocol.CodeUnauthorized)
}

func TestWatchersLearnWhoComesAndGoes(t *testing.T) {
	r := start(t, push.Options{})
	a := r.connect()
	a.signin(`{"id":"a"}`)
	a.expect(protocol.EventSigninSuccess)
	w := r.connect()
	w.signin(`{"id":"w","watchlist":["b","a","b"]}`)
	w.expect(protocol.EventSigninSuccess)
	w.expectWatchlist(`{"events":[{"name":"online","user_ids":["a"]},{"name":"offline","user_ids":["b"]}]}`)
	b, b2 := r.connect(), r.connect()
	b.signin(`{"id":"b"}`)
	w.expectWatchlist(`{"events":[{"name":"online","user_ids":["b"]}]}`)
	b2.signin(`{"id":"b"}`)
	b2.expect(protocol.EventSigninSuccess)
	b.conn.CloseNow()
	eventually(t, "b's first connection has gone", func() bool { return r.metric("roost_push_connections") == "3" })
	w.fence() // b is there still
	b2.conn.CloseNow()
	w.expectWatchlist(`{"events":[{"name":"offline","user_ids":["b"]}]}`)
}

func TestBackendsEndTheConnectionsOfAUserEverywhere(t *testing.T) {
	bus := push.NewMemoryBus()
	one, two := start(t, push.Options{Bus: bus}), start(t, push.Options{Bus: bus})
	p, q, other := one.connect(), two.connect(), two.connect()
	for i, peer := range []*peer{p, q, other} {
		peer.signin(fmt.Sprintf(`{"id":"user-%d"}`, i/2))
		peer.expect(protocol.EventSigninSuccess)
	}
	if status, body := one.request("POST", "/apps/3/users/user-0/terminate_connections", "", "{}"); status != 200 || body != "{}" {
		t.Errorf("%d %s", status, body)
	}
	p.expectClose(protocol.CodeUnauthorized)
	q.expectClose(protocol.CodeUnauthorized)
	other.fence()
}

func TestConnectionsMustBeAuthorizedInTimeWhereAskedFor(t *testing.T) {
	a := app
	a.AuthTimeout = 200 * time.Millisecond
	r := start(t, push.Options{App: a})
	idle, signed, subscribed := r.connect(), r.connect(), r.connect()
	signed.signin(`{"id":"a"}`)
	signed.expect(protocol.EventSigninSuccess)
	subscribed.ask("private-a", "")
	subscribed.expect(protocol.EventSubscribed)
	idle.ask("news", "")
	idle.expect(protocol.EventSubscribed)
	idle.expectClose(protocol.CodeUnauthorized)
	signed.fence()
	subscribed.fence()
}
