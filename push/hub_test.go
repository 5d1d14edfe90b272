package push_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// A channel dies with its last subscriber and comes back with the next: whoever
// was confirmed gets what is published after, however they cross.
func TestLastLeaveAndNewJoinDoNotLoseTheNewSubscriber(t *testing.T) {
	r := start(t, push.Options{Limits: push.Limits{MessageRate: 1e6, MessageBurst: 1e6}})
	const peers, rounds = 4, 200
	var wg sync.WaitGroup
	for i := range peers {
		p := r.connect()
		wg.Go(func() {
			for n := range rounds {
				p.send(protocol.EventSubscribe, map[string]string{"channel": "c"})
				if !p.until(protocol.EventSubscribed, "") {
					return
				}
				mark := fmt.Sprintf("%d.%d", i, n)
				if err := r.push.Publish(context.Background(), push.Event{Channels: []string{"c"}, Name: "mark", Data: mark}); err != nil {
					t.Error(err)
					return
				}
				if !p.until("mark", mark) {
					return
				}
				p.send(protocol.EventUnsubscribe, map[string]string{"channel": "c"})
			}
		})
	}
	wg.Wait()
	eventually(t, "no channel is left", func() bool { return r.metric("roost_push_channels") == "0" })
}

// until reads to the event with that data, past others' marks.
func (p *peer) until(event, data string) bool {
	for {
		f, err := p.read()
		if err != nil {
			p.t.Errorf("waiting for %s %s: %v", event, data, err)
			return false
		}
		if text, _ := protocol.DataString(f.Data); f.Event == event && (data == "" || text == data) {
			return true
		}
		if f.Event == protocol.EventError {
			p.t.Errorf("waiting for %s %s: %s", event, data, f.Data)
			return false
		}
	}
}

func TestClosedConnectionsLeaveNoChannelBehind(t *testing.T) {
	r := start(t, push.Options{})
	for i := range 20 {
		r.subscriber("shared", fmt.Sprintf("own-%d", i)).conn.CloseNow()
	}
	eventually(t, "no channel and no connection is left", func() bool {
		return r.metric("roost_push_channels") == "0" && r.metric("roost_push_connections") == "0"
	})
}

func TestOneBusJoinsServers(t *testing.T) {
	bus := push.NewMemoryBus()
	a, b := start(t, push.Options{Bus: bus}), start(t, push.Options{Bus: bus})
	other := start(t, push.Options{Bus: bus, App: push.App{ID: "4", Key: app.Key, Secret: "x"}})
	pa, pb, po := a.subscriber("c"), b.subscriber("c"), other.subscriber("c")
	a.publish(`{"name":"e","channel":"c","data":"x","socket_id":"` + pa.id + `"}`)
	pb.expect("e")
	pa.fence()
	po.fence()
}

func TestOptionsThatCanNotWorkAreRefused(t *testing.T) {
	for _, o := range []push.Options{
		{}, {App: push.App{ID: "a/b", Key: "k", Secret: "s"}}, {App: push.App{ID: "1", Key: "", Secret: "s"}},
		{App: push.App{ID: "1", Key: "k"}}, {App: app, Token: "short"}, {App: app, Limits: push.Limits{MaxData: -1}}, {App: app, ActivityTimeout: 1},
	} {
		if s, err := push.New(o); err == nil {
			t.Errorf("%+v accepted", o)
			s.Close()
		}
	}
}

func TestAppPrintsWithoutItsSecret(t *testing.T) {
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "app", app)
	for _, text := range []string{fmt.Sprint(app), fmt.Sprintf("%+v %#v %s", app, app, app), fmt.Sprintf("%+v", push.Options{App: app}), log.String()} {
		if strings.Contains(text, app.Secret) {
			t.Errorf("%s", text)
		}
	}
}

func TestRandomAppsDiffer(t *testing.T) {
	a, b := push.RandomApp(), push.RandomApp()
	if a.Key == b.Key || a.Secret == b.Secret || len(a.Secret) != 40 || a.Key == a.Secret {
		t.Errorf("%#v %#v", a, b)
	}
}
