package push_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/roost-ws/roost/push"
)

// exported returns the kind of each metric that a server has.
func (r *rig) exported() map[string]string {
	r.t.Helper()
	_, text := r.do(r.plain("GET", "/metrics", ""))
	kinds := map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 4 && f[1] == "TYPE" {
			kinds[f[2]] = f[3]
		}
	}
	return kinds
}

// Each row of the page is | `name` | kind | ….
var metricRow = regexp.MustCompile("(?m)^\\| `(roost_[a-z0-9_]+)(?:\\{[a-z,]*\\})?` \\| ([a-z]+) \\|")

func TestEveryMetricIsExplainedAndNoneThatThereIsNot(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	exported := start(t, push.Options{}).exported()
	explained := map[string]bool{}
	for _, m := range metricRow.FindAllStringSubmatch(string(page), -1) {
		explained[m[1]] = true
		if exported[m[1]] != m[2] {
			t.Errorf("docs/metrics.md says %s is a %s, and it is a %q", m[1], m[2], exported[m[1]])
		}
	}
	for name := range exported {
		if strings.HasPrefix(name, "roost_") && !explained[name] {
			t.Errorf("docs/metrics.md says nothing of %s", name)
		}
	}
}

func TestMetricsAreNamedByConvention(t *testing.T) {
	r := start(t, push.Options{})
	_, text := r.do(r.plain("GET", "/metrics", ""))
	problems, err := promlint.New(strings.NewReader(text + "\n")).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "roost_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// Whoever imports the dashboard sees data in each panel, and all that there is.
func TestGrafanaShowsEveryMetricAndNoneThatThereIsNot(t *testing.T) {
	text, err := os.ReadFile("../docs/grafana/roost.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	exported := start(t, push.Options{}).exported()
	name := regexp.MustCompile(`\b(?:roost|go|process)_[a-z0-9_]+`)
	part := regexp.MustCompile(`_(bucket|sum|count)$`)
	asked := map[string]bool{}
	for _, p := range board.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			names := name.FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("panel %q: no metric in %q", p.Title, target.Expr)
			}
			for _, n := range names {
				whole := part.ReplaceAllString(n, "")
				asked[n], asked[whole] = true, true
				if exported[n] == "" && exported[whole] != "histogram" && exported[whole] != "summary" {
					t.Errorf("panel %q asks for %s, which there is not", p.Title, n)
				}
			}
		}
	}
	for n := range exported {
		if strings.HasPrefix(n, "roost_") && !asked[n] {
			t.Errorf("no panel shows %s", n)
		}
	}
}

func TestAppsShareALabelWhenThereAreMany(t *testing.T) {
	o := push.Options{}
	for i := range 103 {
		a := app
		if i > 0 {
			a.ID, a.Key = a.ID+"-"+strings.Repeat("x", i), a.Key+strings.Repeat("x", i)
		}
		o.Apps = append(o.Apps, a)
	}
	r := start(t, o)
	r.subscriber("a", "b")
	if got := r.metric(`roost_push_app_subscriptions{app="3"}`); got != "2" {
		t.Errorf("%s subscriptions of the first app, want 2", got)
	}
	_, text := r.do(r.plain("GET", "/metrics", ""))
	if n := strings.Count(text, "roost_push_app_connections{"); n != 101 {
		t.Errorf("%d labels, want 100 and one for the rest", n)
	}
	r.metric(`roost_push_app_connections{app="(other)"}`)
}

func TestPublicationsAreTimed(t *testing.T) {
	r := start(t, push.Options{})
	p := r.subscriber("a")
	r.publish(`{"name":"e","channel":"a","data":""}`)
	p.expect("e")
	if got := r.metric("roost_push_publish_seconds_count"); got != "1" {
		t.Errorf("%s publications timed, want 1", got)
	}
	eventually(t, "the delivery is timed", func() bool { return r.metric("roost_engine_delivery_seconds_count") == "1" })
}
