//go:build unix

package loadtest

import (
	"bytes"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// drawn is a report with something in each chart.
func drawn() *Report {
	r := known()
	r.URL, r.Started, r.Took = "ws://127.0.0.1:8081/</script><script>document.title='pwned'</script>", time.Unix(1e9, 0), 10*time.Second
	r.Failures = []Failure{{Cause: "refused", Count: 1, Meaning: "<b>nobody</b> listens", Example: "dial"}}
	for i := range 10 {
		r.Samples = append(r.Samples, Sample{
			At: time.Duration(i+1) * time.Second, Length: time.Second, Stage: "measure", Open: 100 * i, Failed: i % 3, Messages: uint64(5000 + 100*i),
			P50: time.Millisecond, P99: 19 * time.Millisecond, Max: 30 * time.Millisecond, ServerCores: 0.5, ServerRSS: int64(i) << 20, ClientCores: 0.4,
			Lag: time.Duration(i) * time.Millisecond, Server: &ServerSample{PSS: int64(i) << 19, Descriptors: 100 * i, Slab: 9 << 20, SocketBuffers: 1 << 20},
			Scraped: map[string]float64{`roost_connections{node="a"}`: float64(i), `roost_connections{node="<b>"}`: 2, "roost_frames_total/s": 50},
		})
	}
	for _, p := range curvePercents {
		r.Echo.Latency.Curve = append(r.Echo.Latency.Curve, Quantile{p, time.Duration(p) * time.Millisecond})
	}
	return r
}

// probe tells the document what the page did: pixels that each canvas has, what was asked of the network,
// what the policy refused, errors.
const probe = `<script>
const seen = { errors: [], refused: 0 };
addEventListener("error", (e) => seen.errors.push(String(e.message)));
addEventListener("securitypolicyviolation", () => seen.refused++);
addEventListener("load", () => setTimeout(() => {
  seen.title = document.title;
  seen.resources = performance.getEntriesByType("resource").length;
  seen.canvases = [...document.querySelectorAll("canvas")].map((c) => {
    const colours = new Set(new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer));
    return colours.size;
  });
  const pre = document.createElement("pre");
  pre.id = "seen";
  pre.textContent = JSON.stringify(seen);
  document.body.append(pre);
}, 200));
</script>`

type seen struct {
	Errors    []string
	Refused   int
	Title     string
	Resources int
	Canvases  []int // colours
}

// look opens a page in headless Chromium.
func look(t *testing.T, page string) (s seen) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("chromium is not installed")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "report.html")
	must(t, os.WriteFile(file, []byte(strings.Replace(page, "<title>", probe+"<title>", 1)), 0o600))
	cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
		"--user-data-dir="+dir, "--virtual-time-budget=5000", "--dump-dom", "file://"+file)
	dom, err := cmd.Output()
	must(t, err)
	m := regexp.MustCompile(`<pre id="seen">(.*?)</pre>`).FindSubmatch(dom)
	if m == nil {
		t.Fatalf("the page did not load to its end; it has %d bytes", len(dom))
	}
	must(t, json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &s))
	return s
}

func (s seen) check(t *testing.T, charts int) {
	t.Helper()
	if len(s.Errors) > 0 || s.Refused > 0 || s.Resources > 0 {
		t.Errorf("errors %q, %d refused by the policy, %d asked of the network; want none", s.Errors, s.Refused, s.Resources)
	}
	if len(s.Canvases) != charts {
		t.Errorf("%d charts, want %d", len(s.Canvases), charts)
	}
	for i, colours := range s.Canvases {
		if colours < 10 {
			t.Errorf("chart %d has %d colours: it is blank", i, colours)
		}
	}
	if !strings.HasPrefix(s.Title, "roost loadtest echo") {
		t.Errorf("title %q", s.Title)
	}
}

func TestPageDrawsAndAsksNothingOfTheNetwork(t *testing.T) {
	var one, two bytes.Buffer
	must(t, drawn().WriteHTML(&one))
	look(t, one.String()).check(t, 12)
	must(t, WriteDiffHTML(&two, drawn(), drawn(), Diff(drawn(), drawn(), 0.1)))
	look(t, two.String()).check(t, 12)
}

func TestPageDrawsStepsAndHandshakes(t *testing.T) {
	r := drawn()
	r.Churn = new(ChurnReport)
	r.Find = new(FindReport)
	for i, held := range []bool{true, true, false, true} {
		load := []float64{1000, 2000, 4000, 3000}[i]
		r.Find.Steps = append(r.Find.Steps, FindStep{Load: load, Held: held, Latency: Latency{P50: time.Millisecond, P99: time.Duration(load) * time.Microsecond}})
	}
	for i := range r.Samples {
		r.Samples[i].Opened = 100 + i
	}
	var b bytes.Buffer
	must(t, r.WriteHTML(&b))
	look(t, b.String()).check(t, 14)
}

func TestPageOfARunThatMeasuredNothingHasNoBlankCharts(t *testing.T) {
	var b bytes.Buffer
	must(t, (&Report{Version: ReportVersion, Scenario: "echo", Samples: []Sample{}}).WriteHTML(&b))
	look(t, b.String()).check(t, 0)
}

func TestPageHoldsItsLicenceAndNamesNothingOutside(t *testing.T) {
	var b bytes.Buffer
	must(t, drawn().WriteHTML(&b))
	if !strings.Contains(b.String(), "Copyright (c) 2022 Leon Sorokin") {
		t.Error("the licence of uPlot is not in it")
	}
	if m := regexp.MustCompile(`(?i)(src|href)\s*=\s*["']|@import|url\(|<b>nobody`).FindString(b.String()); m != "" {
		t.Errorf("the page has %q", m)
	}
}
