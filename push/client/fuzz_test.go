package client

import (
	"encoding/json"
	"testing"

	"github.com/roost-ws/roost/push/protocol"
)

// FuzzServerFrame: whatever a server sends, a client gets an error or an event, and
// keeps one position a channel at most.
func FuzzServerFrame(f *testing.F) {
	for _, s := range []string{
		`{"event":"pusher_internal:subscription_succeeded","channel":"c","data":"{\"position\":{\"epoch\":\"e\",\"seq\":7},\"recovered\":true}"}`,
		`{"event":"e","channel":"c","data":"x","position":{"epoch":"e","seq":8}}`, `{"event":"e","channel":"c","data":{"a":1}}`,
		`{"event":"pusher:subscription_error","channel":"c","data":"{\"error\":\"no\"}"}`,
		`{"event":"pusher:error","data":{"code":4200,"reconnect_after_ms":-9223372036854775808}}`, `{"data":7}`, `null`, `{"event":"e","data":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var frame protocol.Frame
		if json.Unmarshal(text, &frame) != nil {
			return
		}
		heard, known := 0, positions{"c": {Epoch: "e", Seq: 3}}
		s := &Subscription{Message: func(Message) { heard++ }, Subscribed: func(string) {}, Missed: func(string) {}}
		if d := comeBack(frame); d < 0 {
			t.Errorf("come back in %v", d)
		}
		if err := refusal(frame); err.Error() == "" {
			t.Error("a refusal that says nothing")
		}
		if err := known.heard(s, frame); (err == nil) != (heard == 1) && frame.Position == nil {
			t.Errorf("%d events, %v", heard, err)
		}
		_ = known.confirmed(s, frame)
		if len(known) > 2 {
			t.Errorf("positions %v", known)
		}
	})
}
