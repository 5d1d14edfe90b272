package push_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/roost-ws/roost/push"
)

// metric returns the value of one metric as its text.
func (r *rig) metric(name string) string {
	r.t.Helper()
	status, text := r.do(r.plain("GET", "/metrics", ""))
	if status != http.StatusOK {
		r.t.Fatalf("/metrics: %d", status)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	r.t.Fatalf("no metric %s", name)
	return ""
}

func TestMetricsCountWhatHappens(t *testing.T) {
	r := start(t, push.Options{})
	p := r.subscriber("a", "b")
	r.subscriber("b")
	r.publish(`{"name":"e","channels":["a","b","empty"],"data":""}`)
	p.expect("e")
	for name, want := range map[string]string{
		"roost_push_connections": "2", "roost_push_channels": "2", "roost_push_subscriptions": "3",
		"roost_push_published_events_total": "1", "roost_push_fanouts_total": "2",
		"roost_push_client_messages_total": "3", "roost_engine_opened_total": "2",
	} {
		if got := r.metric(name); got != want {
			t.Errorf("%s %s, want %s", name, got, want)
		}
	}
	p.conn.CloseNow()
	eventually(t, "the channel that is left", func() bool {
		return r.metric("roost_push_channels") == "1" && r.metric("roost_push_subscriptions") == "1"
	})
}

func TestMetricsHoldNoSecret(t *testing.T) {
	r := start(t, push.Options{})
	r.subscriber("a")
	_, text := r.do(r.plain("GET", "/metrics", ""))
	for _, secret := range []string{app.Secret, app.Key, token} {
		if strings.Contains(text, secret) {
			t.Errorf("/metrics holds %q", secret)
		}
	}
}
