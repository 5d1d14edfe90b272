//go:build unix

package loadtest

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func known() *Report {
	return &Report{
		Version: ReportVersion, Scenario: "echo",
		Connections: Connections{Wanted: 1000, Opened: 999, Failed: 1},
		Echo: &EchoReport{
			Messages: 990, Unanswered: 10, PerSecond: 50_000,
			Latency: Latency{Count: 990, P50: time.Millisecond, P99: 19 * time.Millisecond},
		},
	}
}

func TestExpectationsHoldExactlyAtTheirBounds(t *testing.T) {
	for text, holds := range map[string]bool{
		"p99<20ms": true, "p99<19ms": false, "p99<=19ms": true, "p99 > 18ms": true, "p99!=19ms": false, "p99==19000us": true,
		"loss==0": false, "loss<=1%": true, "loss<1%": false,
		"errors<0.1%": false, "errors<=0.1%": true, "errors<0.2%": true,
		"rate>=50k": true, "rate>50k": false, "rate>0.05m": false, "opened==999": true,
		"user-bytes<1m": false, // was not measured
	} {
		e, err := ParseExpectation(text)
		must(t, err)
		if err := e.Check(known()); (err == nil) != holds || err != nil && !errors.Is(err, ErrExpectation) {
			t.Errorf("%s: %v, want it to hold: %v", text, err, holds)
		}
	}
	for _, text := range []string{"p99", "p99<", "p99<20", "nonsense<1", "loss<5", "rate<10%", "rate<x", "<1ms", "rate<nan"} {
		if _, err := ParseExpectation(text); !errors.Is(err, ErrOptions) {
			t.Errorf("%q: error %v, want one of options", text, err)
		}
	}
}

func TestNoMessagesKeepNoLatencyExpectation(t *testing.T) {
	r := known()
	r.Echo = &EchoReport{}
	e, err := ParseExpectation("p99<20ms")
	must(t, err)
	if e.Check(r) == nil {
		t.Error("p99<20ms holds of a run without messages")
	}
	r = known()
	r.Interrupted = true
	if e.Check(r) == nil {
		t.Error("p99<20ms holds of a run that was interrupted")
	}
}

func TestDiffMarksOnlyWhatIsWorseAndSteady(t *testing.T) {
	after := known()
	after.Echo.PerSecond *= 0.8           // worse
	after.Echo.Latency.P99 /= 2           // better
	after.Echo.Latency.P50 = 1050_000     // worse by less than the threshold
	after.Echo.Latency.Max = time.Hour    // an extreme
	after.Echo.Messages = 10              // a circumstance, but makes a loss
	after.Connections.Lost = 3            // from nothing
	after.Connections.PerSecond = 1 << 20 // better
	worse := map[string]bool{}
	for _, c := range Diff(known(), after, 0.1) {
		if c.Worse {
			worse[c.After.Name] = true
		}
	}
	if want := map[string]bool{"rate": true, "loss": true, "lost": true, "errors": true}; !reflect.DeepEqual(worse, want) {
		t.Errorf("worse are %v, want %v", worse, want)
	}
	for _, c := range Diff(known(), known(), 0) {
		if c.Worse {
			t.Errorf("%s is worse than itself", c.After.Name)
		}
	}
}

func TestReportsSurviveJSON(t *testing.T) {
	url := serve(t, echoAll)
	r := runEcho(t, Echo{Options: Options{URL: url, Conns: 3}, Duration: measured})
	text, err := json.Marshal(r)
	must(t, err)
	back, err := ReadReport(bytes.NewReader(text))
	must(t, err)
	if !reflect.DeepEqual(back.Figures(), r.Figures()) || len(back.Echo.Latency.Curve) != len(curvePercents) {
		t.Errorf("figures %v came back as %v", r.Figures(), back.Figures())
	}
	for _, f := range r.Figures() {
		if _, ok := figureSpecs[f.Name]; !ok {
			t.Errorf("figure %s has no spec", f.Name)
		}
	}
	for _, text := range []string{"", "[]", `{"version":99}`, "{}"} {
		if _, err := ReadReport(bytes.NewReader([]byte(text))); !errors.Is(err, ErrOptions) {
			t.Errorf("report %q was read", text)
		}
	}
}

// What the samples saw adds up to what the run did.
func TestSamplesAddUp(t *testing.T) {
	t.Parallel()
	url := serve(t, echoAll)
	r := runEcho(t, Echo{Options: Options{URL: url, Conns: 5}, Rate: 500, Duration: 1500 * time.Millisecond})
	var opened int
	var messages uint64
	var length time.Duration
	for _, s := range r.Samples {
		opened += s.Opened
		messages += s.Messages
		length += s.Length
		if s.Messages > 0 && (s.P50 <= 0 || s.P99 < s.P50 || s.Max < s.P99) {
			t.Errorf("percentiles out of order: %+v", s)
		}
	}
	// Latencies are of all that were due, also when they came in the drain.
	all := uint64(r.Echo.Latency.Count)
	if opened != 5 || messages > all+20 || messages+20 < all || len(r.Samples) < 2 || length > r.Took {
		t.Errorf("%d samples over %v with %d opened and %d messages; the run had 5 and %d in %v", len(r.Samples), length, opened, messages, all, r.Took)
	}
	var b bytes.Buffer
	must(t, r.WriteCSV(&b))
	rows, err := csv.NewReader(&b).ReadAll()
	must(t, err)
	if len(rows) != len(r.Samples)+1 || rows[1][7] != strconv.FormatUint(r.Samples[0].Messages, 10) {
		t.Errorf("CSV %v", rows)
	}
}

func TestThinnedSamplesKeepTheirSums(t *testing.T) {
	s := &sampler{every: sampleEvery}
	for i := range 7 {
		s.samples = append(s.samples, Sample{Length: time.Second, Messages: uint64(i), P99: time.Duration(i), Open: i, ServerCores: float64(i)})
	}
	s.thin()
	var sum uint64
	for _, x := range s.samples {
		sum += x.Messages
	}
	if first := s.samples[0]; len(s.samples) != 4 || sum != 21 || first.P99 != 1 || first.Open != 1 || first.Length != 2*time.Second || first.ServerCores != 0.5 {
		t.Errorf("%+v", s.samples)
	}
}

func TestCSVHasNoLatencyWhereNoneWasMeasured(t *testing.T) {
	r := Report{Samples: []Sample{{Length: time.Second, Stage: "warm-up", Messages: 5}, {Length: time.Second, Stage: "measure", Messages: 5, P50: 1e6, P99: 2e6, Max: 3e6}}}
	var b strings.Builder
	must(t, r.WriteCSV(&b))
	for _, part := range []string{"warm-up,0,0,0,0,5,5,,,,", "measure,0,0,0,0,5,5,1,2,3,"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("no %q in:\n%s", part, b.String())
		}
	}
}
