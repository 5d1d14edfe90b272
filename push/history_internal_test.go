package push

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// Strangers may name channels without end: what they leave behind is nothing, and who
// was there in earnest resumes all the same.
func TestAnEmptyHistoryIsForgottenWithItsLastSubscriber(t *testing.T) {
	b, keep := NewMemoryBus(), Retention{Count: 5, Age: time.Minute}
	attach := func(channel string, since *protocol.Position) (got Replay) {
		if err := b.Attach(context.Background(), Attachment{App: "1", Channel: channel, Keep: keep, Since: since}, func(r Replay) { got = r }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	start := attach("a", nil).Head
	b.Leave("1", "a")
	for i := range 100 {
		name := fmt.Sprint("cache-", i)
		attach(name, nil)
		b.Leave("1", name)
	}
	if n := len(b.history.logs); n != 0 {
		t.Errorf("%d histories are left", n)
	}
	if err := b.Publish(context.Background(), &Event{App: "1", Channels: []string{"a"}, Name: "e", Keep: keep}); err != nil {
		t.Fatal(err)
	}
	b.Leave("1", "a")
	if r := attach("a", &start); !r.Recovered || len(r.Missed) != 1 || r.Head.Epoch != start.Epoch {
		t.Errorf("who was there before the first event: %+v", r)
	}
	b.history.logs[logKey{"1", "a"}].used = time.Now().Add(-logIdle - time.Hour)
	attach("b", nil) // sweeps
	for _, since := range []protocol.Position{start, {Epoch: start.Epoch, Seq: 1}} {
		if r := attach("a", &since); r.Recovered || r.Head.Epoch == start.Epoch {
			t.Errorf("after its events were forgotten, since %d: %+v", since.Seq, r)
		}
	}
}
