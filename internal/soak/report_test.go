package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

var warm = holding{RSS: 5 << 20, Heap: 1 << 20, Goroutines: 13, Descriptors: 15}

// Each of the four is looked at by itself: a run passes only when all have returned.
func TestWhatDoesNotReturnIsTold(t *testing.T) {
	t.Parallel()
	for what, leak := range map[string]func(*holding){
		"descriptors":            func(h *holding) { h.Descriptors++ },
		"goroutines":             func(h *holding) { h.Goroutines += moreGoroutines + 1 },
		"bytes of heap":          func(h *holding) { h.Heap += h.Heap/4 + moreHeap + 1 },
		"bytes of anonymous RSS": func(h *holding) { h.RSS += h.RSS/2 + moreRSS + 1 },
	} {
		after := warm
		leak(&after)
		got := excess([]string{"echo", "serve"}, []holding{warm, warm}, []holding{warm, after})
		if len(got) != 1 || !strings.HasPrefix(got[0], "serve: ") || !strings.Contains(got[0], what) {
			t.Errorf("%s of the second server leaked: told %q", what, got)
		}
	}
	if got := excess([]string{"echo"}, []holding{warm}, []holding{warm}); got != nil {
		t.Errorf("nothing leaked: told %q", got)
	}
}

func TestWhatClientsMetIsTold(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]*loadtest.Report{
		"":                              {Churn: &loadtest.ChurnReport{Closed: 7, Aborted: 2}},
		"1 connections lost":            {Connections: loadtest.Connections{Lost: 1}},
		"2 lives had no echo":           {Churn: &loadtest.ChurnReport{Echo: &loadtest.ChurnEcho{Silent: 2}}},
		"3 deliveries lost":             {Broadcast: &loadtest.BroadcastReport{Lost: 3}},
		"4 events twice":                {Push: &loadtest.PushReport{Duplicates: 4}},
		"5 messages missed":             {Slow: &loadtest.SlowReport{Missed: 5}},
		"6 times corrupt (not the same": {Failures: []loadtest.Failure{{Cause: "corrupt", Count: 6, Example: "not the same"}}},
	} {
		if got := strings.Join(met(r), ", "); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("told %q, want %q", got, want)
		}
	}
}

func TestReportTellsTheSameInBothForms(t *testing.T) {
	t.Parallel()
	r := newReport(time.Minute, 300)
	r.Servers, r.Baseline, r.End = []string{"echo"}, []holding{warm}, []holding{warm}
	r.round("echo", &loadtest.Report{Echo: &loadtest.EchoReport{Messages: 12345}}, nil)
	for range 3 * rows {
		r.sample([]holding{warm})
	}
	dir := t.TempDir()
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "soak.md"))
	if err != nil || !strings.Contains(string(text), "12345 messages") || strings.Count(string(text), "| 5.0, 1.0, 13, 15 |") != rows+2 {
		t.Errorf("soak.md: %v\n%s", err, text)
	}
	coded, err := os.ReadFile(filepath.Join(dir, "soak.json"))
	var back report
	if err == nil {
		err = json.Unmarshal(coded, &back)
	}
	if err != nil || back.Messages != 12345 || len(back.Samples) != 3*rows {
		t.Errorf("soak.json: %v: %d messages, %d samples", err, back.Messages, len(back.Samples))
	}
}
