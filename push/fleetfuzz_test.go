package push

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"
)

// FuzzNotes: whatever another server says, and in whatever order, a server counts
// nothing below zero, shows nobody in a channel twice, and when that server goes
// nothing of it is left.
func FuzzNotes(f *testing.F) {
	for _, n := range []note{
		{From: "n", Seq: 3, Beat: &Node{ID: "n", Addr: "127.0.0.1:1", Owner: true}},
		{From: "n", Seq: 1, All: &part{Last: true, Has: changes{"1": {Counts: map[string]int{"news": 2}}}}},
		{From: "n", Seq: 2, Change: &changes{"1": {Members: map[string]map[string]*claim{"presence-a": {"u": {Since: 5, Info: json.RawMessage(`{"x":1}`)}}}}}},
		{From: "n", Seq: 3, Change: &changes{"1": {Members: map[string]map[string]*claim{"presence-a": {"u": nil}}, Users: map[string]bool{"u": true}}}},
		{From: "n", Ask: true}, {From: "n", Bye: true},
	} {
		text, err := encodeNote(&n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, []byte(`{"f":"n","q":1,"p":{"i":0,"l":true,"h":{"1":{"c":{"news":1},"m":{"presence-a":{"v":{"t":1}}}}}}}`))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s := &Server{opts: Options{Bus: NewMemoryBus(), Logger: slog.New(slog.DiscardHandler), fleetTick: time.Hour}, conns: newDirectory()}
		s.fleet = newFleet(s)
		s.apps.Store(s.newTenants([]App{{ID: "1", Key: "k", Secret: "s", Webhooks: []Webhook{{URL: "http://x"}}}}, &Limits{}, nil))
		a := s.tenants().list[0]
		a.hooks.endpoints.Store(&[]*endpoint{}) // nothing is sent
		for range 2 {
			s.fleet.take(first)
			s.fleet.take(second)
		}
		for name, n := range a.occupied("") {
			if n <= 0 {
				t.Errorf("%d subscriptions to %s", n, name)
			}
		}
		for _, m := range a.presences.m {
			if len(m.users) == 0 {
				t.Errorf("%s is kept without members", m.name)
			}
			for id, u := range m.users {
				if len(u.claims) == 0 {
					t.Errorf("%s is in %s on no server", id, m.name)
				}
				m.snapshot()
			}
		}
		for _, p := range s.fleet.list() {
			s.fleet.drop(p, 0)
		}
		if len(a.occupied("")) != 0 || len(a.presences.m) != 0 || len(a.users.remote) != 0 || len(s.Nodes()) != 1 {
			t.Errorf("left: %v, %v, %v", a.occupied(""), a.presences.m, a.users.remote)
		}
	})
}
