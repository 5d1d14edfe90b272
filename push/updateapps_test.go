package push_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// enterApp connects to an app of any key and waits until it is subscribed to "news".
func (r *rig) enterApp(key string) *peer {
	r.t.Helper()
	p := r.dial("/app/" + key + "?protocol=7")
	p.expect(protocol.EventConnected)
	p.send(protocol.EventSubscribe, map[string]string{"channel": "news"})
	p.expect(protocol.EventSubscribed)
	return p
}

func (r *rig) update(apps ...push.App) {
	r.t.Helper()
	if err := r.push.UpdateApps(apps, push.Limits{}); err != nil {
		r.t.Fatal(err)
	}
}

func TestAppsComeAndGoWhileOthersGoOn(t *testing.T) {
	gone, off, rekeyed := push.App{ID: "4", Key: "gone", Secret: "s"}, push.App{ID: "5", Key: "off", Secret: "s"}, push.App{ID: "6", Key: "old", Secret: "s"}
	r := start(t, push.Options{Apps: []push.App{app, gone, off, rekeyed}})
	stays, leaves, disabled, old := r.subscriber("news"), r.enterApp("gone"), r.enterApp("off"), r.enterApp("old")
	off.Disabled, rekeyed.Key = true, "new"
	r.update(app, off, rekeyed, push.App{ID: "7", Key: "added", Secret: "s"})
	leaves.expectClose(protocol.CodeUnknownApp)
	old.expectClose(protocol.CodeUnknownApp)
	disabled.expectClose(protocol.CodeAppDisabled)
	r.dial("/app/gone?protocol=7").expectClose(protocol.CodeUnknownApp)
	r.enterApp("new")
	added := r.enterApp("added")
	r.publish(`{"name":"e","channel":"news","data":"x"}`)
	stays.expect("e")
	if err := r.push.Publish(context.Background(), push.Event{App: "7", Name: "f", Channels: []string{"news"}, Data: "y"}); err != nil {
		t.Fatal(err)
	}
	added.expect("f")
	if status, _ := r.request("GET", "/apps/4/channels", "", ""); status != http.StatusNotFound {
		t.Errorf("an app that is gone answers %d", status)
	}
}

func TestAppsThatCanNotWorkChangeNothing(t *testing.T) {
	r := start(t, push.Options{})
	p := r.subscriber("news")
	for _, apps := range [][]push.App{
		nil, {{ID: "9", Key: "k"}}, {app, app}, {{ID: "9", Key: "k", Secret: "s", PreviousSecrets: []string{""}}},
	} {
		if err := r.push.UpdateApps(apps, push.Limits{}); err == nil {
			t.Errorf("%v was taken", apps)
		}
	}
	if err := r.push.UpdateApps([]push.App{app}, push.Limits{MaxData: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
	r.publish(`{"name":"e","channel":"news","data":"x"}`)
	p.expect("e")
}

func TestConnectionsObeyNewLimitsAtOnce(t *testing.T) {
	r := start(t, push.Options{})
	p := r.subscriber("a")
	if err := r.push.UpdateApps([]push.App{app}, push.Limits{MaxChannels: 1}); err != nil {
		t.Fatal(err)
	}
	p.send(protocol.EventSubscribe, map[string]string{"channel": "b"})
	p.expect(protocol.EventSubscriptionError)
}

func TestASecretIsReplacedWithoutAGap(t *testing.T) {
	r := start(t, push.Options{})
	next := app
	next.Secret, next.PreviousSecrets = "the next secret", []string{app.Secret}
	signedWithOld := func() int {
		status, _ := r.request("POST", "/apps/3/events", "", `{"name":"e","channel":"news","data":"x"}`)
		return status
	}
	r.update(next)
	if status := signedWithOld(); status != http.StatusOK {
		t.Errorf("the secret before is refused while it is listed: %d", status)
	}
	next.PreviousSecrets = nil
	r.update(next)
	if status := signedWithOld(); status != http.StatusUnauthorized {
		t.Errorf("the secret before is taken when it is listed no more: %d", status)
	}
}

func TestConnectionsMayComeWhileAppsChange(t *testing.T) {
	gone := push.App{ID: "4", Key: "gone", Secret: "s"}
	r := start(t, push.Options{Apps: []push.App{app, gone}})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := range 20 {
			apps := []push.App{app, gone}
			_ = r.push.UpdateApps(apps[:1+i%2], push.Limits{}) // the apps are good
		}
		_ = r.push.UpdateApps([]push.App{app}, push.Limits{})
	}()
	var list []*peer
	for range 20 {
		list = append(list, r.dial("/app/gone?protocol=7"))
	}
	<-ended
	for _, p := range list {
		for {
			if _, err := p.read(); err != nil {
				if !strings.Contains(err.Error(), "4001") {
					t.Fatalf("a connection to an app that is gone ends with %v", err)
				}
				break
			}
		}
	}
}

func TestHistoryThatIsRemovedRecoversNothing(t *testing.T) {
	r := start(t, push.Options{App: withHistory(10, time.Minute)})
	r.subscriber("kept-a") // it stays occupied
	away := r.connect()
	at := away.resume("kept-a", nil).Position
	away.conn.CloseNow()
	r.update(app)
	r.keep("kept-a", 1, 1)
	if got := r.connect().resume("kept-a", at); got.Recovered || got.Position != nil {
		t.Errorf("%+v, though nothing is kept", got)
	}
}

func TestSubscribersAreSentBackForHistoryThatWasAdded(t *testing.T) {
	bus := &oddBus{MemoryBus: push.NewMemoryBus()}
	r := start(t, push.Options{Bus: bus})
	p := r.subscriber("kept-a")
	r.update(withHistory(10, time.Minute))
	r.keep("kept-a", 1, 1)
	p.expectRun(1, 1)
	bus.deliver(&push.Event{Lost: true})
	p.expectElsewhere()
}
