package client

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// Around a subscription an event may come both as missed and as live.
func TestEventsHadAlreadyAreDropped(t *testing.T) {
	var got, missed []string
	s := &Subscription{
		Message: func(m Message) { got = append(got, m.Data) },
		Missed:  func(channel string) { missed = append(missed, channel) },
	}
	p := positions{"c": {Epoch: "e", Seq: 4}}
	confirm := func(data string) {
		if err := p.confirmed(s, protocol.Frame{Channel: "c", Data: json.RawMessage(data)}); err != nil {
			t.Fatal(err)
		}
	}
	event := func(data, epoch string, seq uint64) {
		if err := p.heard(s, protocol.Frame{Channel: "c", Data: json.RawMessage(`"` + data + `"`), Position: &Position{Epoch: epoch, Seq: seq}}); err != nil {
			t.Fatal(err)
		}
	}
	confirm(`{"recovered":true,"position":{"epoch":"e","seq":4}}`)
	event("five", "e", 5)
	event("six", "e", 6)
	event("five", "e", 5)
	event("six", "e", 6)
	event("seven", "e", 7)
	event("one", "f", 1) // the history began anew
	if want := []string{"five", "six", "seven", "one"}; !slices.Equal(got, want) || len(missed) > 0 {
		t.Errorf("got %v, missed %v", got, missed)
	}
	confirm(`{"recovered":false,"position":{"epoch":"f","seq":9}}`)
	event("nine", "f", 9) // published before the subscription: it is among the missed
	confirm(`{}`)
	event("again", "f", 1)
	if want := []string{"c", "c"}; !slices.Equal(missed, want) || got[len(got)-1] != "again" || len(got) != 5 {
		t.Errorf("got %v, missed %v", got, missed)
	}
}

func TestAServerThatSendsUsElsewhereSaysWhen(t *testing.T) {
	for data, want := range map[string]time.Duration{
		`{"code":4200,"message":"","reconnect_after_ms":1500}`: 1500 * time.Millisecond,
		`"{\"reconnect_after_ms\":7}"`:                         7 * time.Millisecond,
		`{"code":4100}`:                                        0, `{"reconnect_after_ms":-5}`: 0, `{"reconnect_after_ms":"x"}`: 0, `7`: 0,
	} {
		if got := comeBack(protocol.Frame{Data: json.RawMessage(data)}); got != want {
			t.Errorf("%s: %v, want %v", data, got, want)
		}
	}
}
