package push_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

func withHistory(count int, age time.Duration) push.App {
	a := app
	a.Channels = []push.Pattern{{Match: "kept-plain"}, {Match: "*kept-*", History: push.Retention{Count: count, Age: age}}}
	return a
}

// confirmed is what a confirmation says of the channel's history.
type confirmed struct {
	Position  *protocol.Position
	Recovered bool
}

func (p *peer) resume(channel string, at *protocol.Position) (got confirmed) {
	p.t.Helper()
	p.send(protocol.EventSubscribe, map[string]any{"channel": channel, "position": at})
	if err := protocol.DecodeData(p.expect(protocol.EventSubscribed).Data, &got); err != nil {
		p.t.Fatal(err)
	}
	return got
}

func (r *rig) keep(channel string, from, to int) {
	r.t.Helper()
	for i := from; i <= to; i++ {
		if err := r.push.Publish(context.Background(), push.Event{Channels: []string{channel}, Name: "e", Data: fmt.Sprint(i)}); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (p *peer) expectRun(from, to int) (last protocol.Position) {
	p.t.Helper()
	for i := from; i <= to; i++ {
		f := p.expect("e")
		if string(f.Data) != fmt.Sprintf(`"%d"`, i) || f.Position == nil || f.Position.Seq != uint64(i) {
			p.t.Fatalf("got %s at %+v, want %d", f.Data, f.Position, i)
		}
		last = *f.Position
	}
	return last
}

func TestResumingGetsWhatWasMissedThenWhatIsLive(t *testing.T) {
	r := start(t, push.Options{App: withHistory(10, time.Minute)})
	p := r.connect()
	if got := p.resume("kept-a", nil); got.Position == nil || got.Position.Seq != 0 || got.Recovered {
		t.Errorf("new subscription: %+v", got)
	}
	r.keep("kept-a", 1, 3)
	last := p.expectRun(1, 3)
	p.conn.CloseNow()
	r.keep("kept-a", 4, 9)
	q := r.connect()
	if got := q.resume("kept-a", &last); !got.Recovered || *got.Position != last {
		t.Errorf("resumed: %+v, want recovered after %+v", got, last)
	}
	r.keep("kept-a", 10, 12)
	q.expectRun(4, 12)
	q.fence()
	if got := r.connect().resume("kept-a", &protocol.Position{Epoch: last.Epoch, Seq: 12}); !got.Recovered {
		t.Errorf("nothing was missed: %+v", got)
	}
	if got := r.metric("roost_push_replayed_events_total"); got != "6" {
		t.Errorf("%s events counted as replayed, want 6", got)
	}
}

func TestWhatCanNotBeRecoveredIsSaid(t *testing.T) {
	r := start(t, push.Options{App: withHistory(5, time.Minute)})
	p := r.connect()
	epoch := p.resume("kept-a", nil).Position.Epoch
	r.keep("kept-a", 1, 8)
	p.expectRun(1, 8)
	for name, tt := range map[string]struct {
		at   protocol.Position
		want bool
	}{
		"just kept":     {protocol.Position{Epoch: epoch, Seq: 3}, true},
		"just gone":     {protocol.Position{Epoch: epoch, Seq: 2}, false},
		"other epoch":   {protocol.Position{Epoch: "x", Seq: 8}, false},
		"in the future": {protocol.Position{Epoch: epoch, Seq: 9}, false},
		"far future":    {protocol.Position{Epoch: epoch, Seq: 1<<64 - 1}, false},
	} {
		q := r.connect()
		got := q.resume("kept-a", &tt.at)
		if got.Recovered != tt.want {
			t.Errorf("%s: %+v", name, got)
		}
		if tt.want {
			q.expectRun(4, 8)
		} else if got.Position.Epoch != epoch || got.Position.Seq != 8 {
			t.Errorf("%s: goes on at %+v, want 8", name, got.Position)
		}
		q.fence()
	}
}

func TestHistoryEndsWithItsAge(t *testing.T) {
	r := start(t, push.Options{App: withHistory(5, 20*time.Millisecond)})
	p := r.connect()
	at := *p.resume("kept-a", nil).Position
	r.keep("kept-a", 1, 1)
	p.expectRun(1, 1)
	eventually(t, "the event is too old", func() bool { return !r.connect().resume("kept-a", &at).Recovered })
}

func TestOnlyMatchingChannelsKeepAHistory(t *testing.T) {
	r := start(t, push.Options{App: withHistory(5, time.Minute)})
	for _, name := range []string{"news", "kept-plain"} { // the first pattern that matches holds
		p := r.connect()
		if got := p.resume(name, &protocol.Position{Epoch: "x", Seq: 1}); got.Position != nil || got.Recovered {
			t.Errorf("%s: %+v", name, got)
		}
		r.publish(`{"name":"e","channels":["` + name + `"],"data":"x"}`)
		if f := p.expect("e"); f.Position != nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestEachChannelOfAnEventHasItsOwnPosition(t *testing.T) {
	r := start(t, push.Options{App: withHistory(5, time.Minute)})
	p := r.connect()
	p.resume("kept-a", nil)
	p.resume("kept-b", nil)
	r.keep("kept-a", 1, 1)
	p.expectRun(1, 1)
	r.publish(`{"name":"e","channels":["kept-a","news","kept-b"],"data":"x"}`)
	for _, want := range []uint64{2, 1} {
		if f := p.expect("e"); f.Position == nil || f.Position.Seq != want {
			t.Errorf("%s at %+v, want %d", f.Channel, f.Position, want)
		}
	}
}

// A replay that would fill the outbox would end the connection, again and again.
func TestAReplayThatIsTooLargeIsNotRecovered(t *testing.T) {
	r := start(t, push.Options{App: withHistory(1000, time.Minute), Limits: push.Limits{MaxData: 1 << 20}})
	p := r.connect()
	at := *p.resume("kept-a", nil).Position
	p.conn.CloseNow()
	for range 3 {
		if err := r.push.Publish(context.Background(), push.Event{Channels: []string{"kept-a"}, Name: "e", Data: string(make([]byte, 300<<10))}); err != nil {
			t.Fatal(err)
		}
	}
	q := r.connect()
	if got := q.resume("kept-a", &at); got.Recovered || got.Position.Seq != 3 {
		t.Errorf("%+v", got)
	}
	q.fence()
}

// A replay of which the memory budget refuses a part ends the connection: live events
// after the gap would look like all of it.
func TestAReplayIsWholeOrTheConnectionEnds(t *testing.T) {
	t.Parallel()
	const events = 100 // 20 MB: more than the kernel keeps, and 4 MiB
	r := startAt(t, engine.ServerOptions{MaxOutbox: 64 << 20, Config: engine.Config{MemoryBudget: 4 << 20, Loops: 1}},
		push.Options{App: withHistory(events, time.Minute), Limits: push.Limits{MaxData: 1 << 20}})
	p := r.connect()
	at := *p.resume("kept-a", nil).Position
	p.conn.CloseNow()
	data := strings.Repeat("x", 200<<10)
	for range events {
		if err := r.push.Publish(context.Background(), push.Event{Channels: []string{"kept-a"}, Name: "e", Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	q := r.connect()
	q.conn.SetReadLimit(-1)
	q.send(protocol.EventSubscribe, map[string]any{"channel": "kept-a", "position": at})
	eventually(t, "the budget refuses", func() bool { return r.metric("roost_engine_memory_refused_total") != "0" })
	q.expect(protocol.EventSubscribed)
	for seq := uint64(1); ; seq++ {
		f, err := q.read()
		if err != nil {
			if code := websocket.CloseStatus(err); code != protocol.CodeOverCapacity {
				t.Errorf("closed with %d: %v", code, err)
			}
			return
		}
		if f.Position == nil || f.Position.Seq != seq || seq == events {
			t.Fatalf("got %s at %+v, want %d or the end", f.Event, f.Position, seq)
		}
	}
}

func TestPresenceChannelsResumeToo(t *testing.T) {
	r := start(t, push.Options{App: withHistory(5, time.Minute)})
	p := r.connect()
	data := `{"user_id":"u"}`
	p.send(protocol.EventSubscribe, map[string]any{
		"channel": "presence-kept-a", "channel_data": data, "auth": protocol.SignChannel(app.Key, app.Secret, p.id, "presence-kept-a", data),
		"position": protocol.Position{Epoch: "x"},
	})
	var got struct {
		present
		confirmed
	}
	if err := protocol.DecodeData(p.expect(protocol.EventSubscribed).Data, &got); err != nil || got.Presence.Count != 1 || got.Position == nil || got.Recovered {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAnEventTriedAgainWithItsKeyIsKeptOnce(t *testing.T) {
	r := start(t, push.Options{App: withHistory(10, time.Minute)})
	p := r.connect()
	p.resume("kept-a", nil)
	for _, id := range []string{"a", "b", "a"} {
		if err := r.push.Publish(context.Background(), push.Event{Channels: []string{"kept-a"}, Name: "e", Data: id, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{`"a"`, `"b"`} {
		if f := p.expect("e"); string(f.Data) != want || f.Position.Seq != uint64(i+1) {
			t.Errorf("got %s at %+v, want %s", f.Data, f.Position, want)
		}
	}
	p.fence()
}
