//go:build unix

package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const userMessage = `{"conn":{{.Conn}},"seq":{{.Seq}},"at":{{.Now}},"x":"{{.Rand 20}}"}`

func parsed(t *testing.T, text string) *Messages {
	t.Helper()
	m, err := ParseMessage(text)
	must(t, err)
	return m
}

func TestMessagesOfPlainFieldsSayWhatTextTemplateWould(t *testing.T) {
	for _, text := range []string{userMessage, "", "plain", "{{.Seq}}", "{{/* nothing */}}{{.Conn}}-{{.Conn}}", "a {{- .Seq -}} b", "{{.Rand 0}}"} {
		m := parsed(t, text).lines[0]
		if m.whole != nil {
			t.Errorf("%q was not taken apart", text)
		}
		whole, err := parseWhole(text)
		must(t, err)
		for seq := range uint32(3) {
			f := messageFields{Conn: 1 << 31, Seq: seq, Now: time.Now().UnixNano()}
			got, err := m.append(nil, f)
			must(t, err)
			if want, err := whole.append(nil, f); err != nil || string(got) != string(want) {
				t.Errorf("%q: %q, want %q (%v)", text, got, want, err)
			}
			if len(got) > m.most {
				t.Errorf("%q has %d bytes, more than the %d it may have", text, len(got), m.most)
			}
		}
	}
	if m := parsed(t, `{{if .Seq}}{{printf "%05d" .Seq}}{{end}}`).lines[0]; m.whole == nil {
		t.Error("a condition was taken apart")
	}
}

func TestMessagesOfPlainFieldsAllocateNothing(t *testing.T) {
	m, buf := parsed(t, userMessage), make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(100, func() { buf, _ = m.append(buf[:0], 1, 2, 3) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestBadMessagesAreShownWithTheFieldsThereAre(t *testing.T) {
	for text, says := range map[string]string{
		"{{.User}}":          "User",
		"{{.Seq":             "unclosed action",
		"{{.Rand -1}}":       "0 to",
		"{{.Rand 2000000}}":  "0 to",
		"{{.Rand}}":          "Rand",
		"{{template \"x\"}}": "x",
	} {
		_, err := ParseMessage(text)
		if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "{{.Conn}}") {
			t.Errorf("%s: error %v, want one with %q and the fields", text, err, says)
		}
	}
	if _, err := ReadMessages(strings.NewReader("fine\n\n{{.No}}\n"), false); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("error %v, want the line's number", err)
	}
	if _, err := ReadMessages(strings.NewReader("\n"), false); !errors.Is(err, ErrOptions) {
		t.Errorf("no message: error %v", err)
	}
}

func TestEchoOfTemplatesComparesEveryByte(t *testing.T) {
	var mu sync.Mutex
	next := map[int]int{}
	damage := false
	url := serve(t, func(c *websocket.Conn) {
		for {
			kind, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			var m struct {
				Conn, Seq int
				At        int64
				X         string
			}
			mu.Lock()
			if err := json.Unmarshal(p, &m); err != nil || m.Seq != next[m.Conn] || len(m.X) != 20 || time.Since(time.Unix(0, m.At)).Abs() > time.Minute || kind != websocket.TextMessage {
				t.Errorf("message %s, want number %d of its connection (%v)", p, next[m.Conn], err)
			}
			next[m.Conn]++
			if damage && m.Seq == 3 {
				p[len(p)-3]++
			}
			mu.Unlock()
			if c.WriteMessage(kind, p) != nil {
				return
			}
		}
	})
	e := Echo{Options: Options{URL: url, Conns: 4, Loops: 2}, Message: parsed(t, userMessage), InFlight: 3, Duration: measured}
	r := runEcho(t, e)
	noFailures(t, r)
	if r.Echo.Messages == 0 || r.Echo.Unanswered != 0 || r.Echo.Message != userMessage || r.Echo.Latency.Count != int64(r.Echo.Messages) {
		t.Errorf("%+v", r.Echo)
	}
	mu.Lock()
	damage = true
	clear(next)
	mu.Unlock()
	r = runEcho(t, e)
	if len(r.Failures) != 1 || r.Failures[0].Cause != "corrupt" || r.Failures[0].Count != 4 || !strings.Contains(r.Failures[0].Example, "message 3") {
		t.Errorf("failures %+v, want 4 × corrupt", r.Failures)
	}
}

func TestLinesOfAFileTakeTurns(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	taken := func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		defer clear(seen)
		return maps.Clone(seen)
	}
	url := serve(t, func(c *websocket.Conn) {
		for {
			kind, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			mu.Lock()
			seen[string(p)]++
			mu.Unlock()
			if c.WriteMessage(kind, p) != nil {
				return
			}
		}
	})
	m, err := ReadMessages(strings.NewReader("one\r\ntwo\n\nthree"), false)
	must(t, err)
	noFailures(t, runEcho(t, Echo{Options: Options{URL: url, Conns: 3}, Message: m, Rate: 600, Duration: measured}))
	first := taken()
	if n := first["one"]; len(first) != 3 || n < 20 || n != first["two"] && n > first["two"]+3 || n > first["three"]+3 {
		t.Errorf("the server saw %v, want as many of each", first)
	}
	whole := "\x00{{.Seq}}\n\xff"
	m, err = ReadMessages(strings.NewReader(whole), true)
	must(t, err)
	c := Churn{Options: Options{URL: url, Conns: 3}, Message: m, Echo: true, Lifetime: 20 * time.Millisecond, Duration: measured}
	r := runChurn(t, c)
	noFailures(t, r)
	second := taken()
	if len(second) != 1 || second[whole] == 0 || r.Churn.Echo.Messages == 0 {
		t.Errorf("the server saw %v, want the file as it is; %+v", second, r.Churn.Echo)
	}
}

func TestBroadcastOfTemplatesCountsExactly(t *testing.T) {
	t.Parallel()
	url := hub(t, func(receiver, message int, send func()) {
		switch {
		case receiver == 1 && message%10 == 3: // dropped
		case receiver == 0 && message%10 == 5:
			send()
			send()
		default:
			send()
		}
	})
	b := Broadcast{Options: Options{URL: url, Conns: 3, Loops: 2}, Message: parsed(t, userMessage), Rate: 100, Duration: 500 * time.Millisecond}
	r := runBroadcast(t, b)
	tens := r.Messages / 10
	near := func(n uint64) bool { return n == tens || n == tens+1 }
	if tens < 3 || !near(r.Lost) || !near(r.Duplicates) || r.Reordered != 0 || r.Deliveries+r.Lost != 3*r.Messages {
		t.Errorf("%+v, want one of ten lost and doubled each", r)
	}
	b.Message = parsed(t, "always the same")
	if _, err := b.Run(context.Background()); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "{{.Seq}}") {
		t.Errorf("error %v, want one that asks for a number", err)
	}
}
