package push_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

func TestTheLimitOfMembersHoldsForTheFleet(t *testing.T) {
	fleet := startNodes(t, 2, push.Options{Limits: push.Limits{MaxMembers: 2}})
	fleet[0].connect().enter("presence-room", "a", "{}")
	fleet[1].answers("/channels/presence-room", "info=user_count", `{"occupied":true,"user_count":1}`)
	fleet[1].connect().enter("presence-room", "b", "{}")
	fleet[0].answers("/channels/presence-room", "info=user_count", `{"occupied":true,"user_count":2}`)
	p := fleet[0].connect()
	p.ask("presence-room", `{"user_id":"c"}`)
	p.expect(protocol.EventSubscriptionError)
	p.enter("presence-room", "b", "{}") // who is there already needs no room
}

func TestWatchersLearnWhoComesAndGoesOnAnyServer(t *testing.T) {
	fleet := startNodes(t, 3, push.Options{})
	w := fleet[0].connect()
	w.signin(`{"id":"w","watchlist":["a","x","y"]}`)
	w.expect(protocol.EventSigninSuccess)
	w.expectWatchlist(`{"events":[{"name":"offline","user_ids":["a","x","y"]}]}`)
	online := func(id string) { w.expectWatchlist(`{"events":[{"name":"online","user_ids":["` + id + `"]}]}`) }
	signin := func(n node, id string) *peer {
		p := n.connect()
		p.signin(`{"id":"` + id + `"}`)
		p.expect(protocol.EventSigninSuccess)
		return p
	}
	first := signin(fleet[1], "a")
	online("a")
	second := signin(fleet[2], "a")
	signin(fleet[2], "x")
	online("x") // and what that server told before is known: a is there too
	late := fleet[1].connect()
	late.signin(`{"id":"late","watchlist":["w"]}`)
	late.expect(protocol.EventSigninSuccess)
	f := late.expect(protocol.EventWatchlist) // w may not be known here yet
	if text, _ := protocol.DataString(f.Data); text != `{"events":[{"name":"online","user_ids":["w"]}]}` {
		late.expectWatchlist(`{"events":[{"name":"online","user_ids":["w"]}]}`)
	}
	first.conn.CloseNow()
	eventually(t, "the first has gone", func() bool { return fleet[1].metric("roost_push_connections") == "1" })
	signin(fleet[1], "y")
	online("y") // a, who left there before, is on another server still
	second.conn.CloseNow()
	w.expectWatchlist(`{"events":[{"name":"offline","user_ids":["a"]}]}`)
}

func TestSubscribersAreToldTheirNumberWhereAskedFor(t *testing.T) {
	a := app
	a.SubscriptionCounts = true
	fleet := startNodes(t, 2, push.Options{App: a})
	p := fleet[0].subscriber("news")
	want := func(n string) {
		t.Helper()
		f := p.expect(protocol.EventSubscriptionCount)
		if text, _ := protocol.DataString(f.Data); f.Channel != "news" || text != `{"subscription_count":`+n+`}` {
			t.Errorf("told %s %s, want %s", f.Channel, text, n)
		}
	}
	want("1")
	q := fleet[1].subscriber("news")
	want("2")
	q.conn.CloseNow()
	want("1")
}

func TestNodesAreShown(t *testing.T) {
	fleet := startNodes(t, 2, push.Options{Version: "v1"})
	fleet[1].connect()
	eventually(t, "the first server shows the second", func() bool {
		nodes := fleet[0].push.Nodes()
		return len(nodes) == 2 && nodes[0].Self && nodes[1].Addr == fleet[1].addr && nodes[1].Connections == 1 && nodes[1].Version == "v1"
	})
	req := fleet[0].plain("GET", "/nodes", "")
	if status, _ := fleet[0].do(req); status != http.StatusUnauthorized {
		t.Errorf("%d without the token", status)
	}
	req = fleet[0].plain("GET", "/nodes", "")
	req.Header.Set("Authorization", "Bearer "+token)
	var got struct{ Nodes []push.Node }
	if status, body := fleet[0].do(req); status != http.StatusOK || json.Unmarshal([]byte(body), &got) != nil || len(got.Nodes) != 2 || !got.Nodes[0].Self || got.Nodes[1].Self {
		t.Errorf("%d %s", status, body)
	}
}
