package agents

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"
)

// FuzzMessages: in whatever parts they come, what leaders and agents tell each other is taken
// whole or refused, and no more is held than one message may have.
func FuzzMessages(f *testing.F) {
	for _, s := range []string{
		`{"value":{"plan":{"args":["echo"],"part":{}}}}`, `{"value":{"go":"ready","at":"2026-01-02T03:04:05Z"}}`, `{"bye":true}`, `{"value":null}`, `[`,
		`{"value":{"arrived":"ready","progress":{}}}`, `{"value":{"end":{"report":{"version":1,"samples":null},"error":"x"}}}`,
	} {
		f.Add([]byte(s), 1, true)
		f.Add([]byte(s), len(s), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int, toAgent bool) {
		cut = min(max(cut, 0), len(text))
		var r receiver
		take := func(m *nats.Msg) (bool, error) {
			if toAgent {
				return r.take(m, new(orderMessage))
			}
			return r.take(m, new(eventMessage))
		}
		if whole, err := take(&nats.Msg{Header: nats.Header{moreHeader: {"1"}}, Data: text[:cut]}); whole || err != nil {
			t.Fatalf("a part: %t, %v", whole, err)
		}
		whole, err := take(&nats.Msg{Data: text[cut:]})
		if whole != (err == nil) || len(r.buf) != 0 {
			t.Fatalf("%t, %v, %d bytes held", whole, err, len(r.buf))
		}
		if err == nil && !json.Valid(text) {
			t.Fatalf("%q was taken", text)
		}
	})
}
