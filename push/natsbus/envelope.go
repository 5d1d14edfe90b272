package natsbus

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/roost-ws/roost/push"
)

// slots is how many subjects all channels share, whatever their number. It is
// part of what servers have to agree on: the stream's metadata has it.
const slots = 256

func slotOf(app, channel string) int {
	h := fnv.New32a()
	// A hash never fails to write.
	_, _ = h.Write([]byte(app))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(channel))
	return int(h.Sum32() % slots)
}

// kept is the subject of a channel with history. Names may have dots, which
// separate tokens in NATS.
func (b *Bus) kept(app, channel string) string {
	return b.opts.Prefix + ".in." + app + "." + strconv.Itoa(slotOf(app, channel)) + "." + base64.RawURLEncoding.EncodeToString([]byte(channel))
}

// envelope is an event on its way.
type envelope struct {
	App       string   `json:"a"`
	Channels  []string `json:"c,omitempty"`
	Name      string   `json:"n,omitempty"`
	Data      string   `json:"d,omitempty"`
	Except    string   `json:"x,omitempty"`
	UserID    string   `json:"u,omitempty"`
	Count     int      `json:"k,omitempty"`
	Age       int64    `json:"t,omitempty"` // ns
	Terminate string   `json:"e,omitempty"`
	Trace     string   `json:"w,omitempty"` // W3C traceparent
	State     string   `json:"s,omitempty"` // and tracestate
}

// encode writes e as for these of its channels. No page has it, so that <, > and &
// may stay one byte each: NATS has a limit.
func encode(e *push.Event, channels []string) ([]byte, error) {
	var text bytes.Buffer
	w := json.NewEncoder(&text)
	w.SetEscapeHTML(false)
	err := w.Encode(envelope{e.App, channels, e.Name, e.Data, e.Except, e.UserID, e.Keep.Count, int64(e.Keep.Age), e.Terminate, e.Trace.Parent, e.Trace.State})
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

func decode(text []byte) (*push.Event, error) {
	var v envelope
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	return &push.Event{
		App: v.App, Channels: v.Channels, Name: v.Name, Data: v.Data, Except: v.Except, UserID: v.UserID,
		Keep: push.Retention{Count: v.Count, Age: time.Duration(v.Age)}, Terminate: v.Terminate, Trace: push.Trace{Parent: v.Trace, State: v.State},
	}, nil
}
