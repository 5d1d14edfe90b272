package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRatioIsTakenWithinARound(t *testing.T) {
	r := Results{Samples: []Sample{
		{Server: floor, Work: "w", Round: 0, CPU: 1}, {Server: "a", Work: "w", Round: 0, CPU: 2},
		{Server: floor, Work: "w", Round: 1, CPU: 10}, {Server: "a", Work: "w", Round: 1, CPU: 20},
		{Server: floor, Work: "w", Round: 2, CPU: 3}, {Server: "a", Work: "w", Round: 2, CPU: 6},
		{Server: floor, Work: "w", Round: 3, Error: "gone"}, {Server: "a", Work: "w", Round: 3, CPU: 99},
	}}
	if got, ok := r.ratio("a", "w", cpu); !ok || got != 2 {
		t.Errorf("ratio = %v, %v; want 2: every round's is, and the round without a floor has none", got, ok)
	}
	if _, ok := r.ratio("b", "w", cpu); ok {
		t.Error("a server without samples has a ratio")
	}
}

func TestChooseRefusesAnUnknownName(t *testing.T) {
	if _, err := choose("limit,nobody", servers(), server.name); err == nil {
		t.Error("no error for a server that does not exist")
	}
	got, err := choose("gws, limit", servers(), server.name)
	if err != nil || len(got) != 2 || got[0].Name != floor {
		t.Errorf("choose = %v, %v; want limit and gws, in the order of the list", got, err)
	}
}

func TestEverySettingHasAControl(t *testing.T) {
	list := withControls(tuning())
	for _, s := range list {
		if s.work().Name != s.Work || s.plain().work().Name == "" {
			t.Errorf("%+v is of no work", s)
		}
		if !slices.Contains(list, s.plain()) {
			t.Errorf("%+v has no control", s)
		}
	}
}

func TestAnEffectIsMoreThanChanceMakes(t *testing.T) {
	control := []float64{0.92, 0.97, 1, 1.01, 1.03, 1.05}
	for _, c := range []struct {
		name   string
		ratios []float64
		want   bool
	}{
		{"all above the control", []float64{1.3, 1.31, 1.35, 1.36, 1.4, 1.6}, true},
		{"all below the control", []float64{0.8, 0.81, 0.82, 0.83, 0.84, 0.85}, true},
		{"a range with 1", []float64{0.7, 0.7, 0.7, 0.7, 0.7, 1.1}, false},
		{"a median as the control has", []float64{0.91, 0.92, 0.93, 0.94, 0.95, 0.99}, false},
		{"too few rounds", []float64{1.3, 1.31, 1.35}, false},
	} {
		if got := effect(c.ratios, control); got != c.want {
			t.Errorf("%s: effect = %v", c.name, got)
		}
	}
}

func TestRatesThatTheLoadLimitsAreMarked(t *testing.T) {
	r := Results{Samples: []Sample{
		{Server: floor, Work: "connect", PerSecond: 23300, ServerPct: 58, Times: &Times{P50: 1400}},
		{Server: floor, Work: "connect", Round: 1, PerSecond: 23300, ServerPct: 99, Times: &Times{P50: 1400}},
		{Server: "gws", Work: "connect", PerSecond: 25200, ServerPct: 96, Times: &Times{P50: 1600}},
	}}
	which, what := r.present()
	var md strings.Builder
	rateTable(&md, &r, which, what)
	timesTable(&md, &r, which, what[0])
	for _, want := range []string{"| limit (C) | ≥ 23,300 |", "| gws | 25,200 |", "| limit (C) † | 1.4 |", "| gws | 1.6 |"} {
		if !strings.Contains(md.String(), want) {
			t.Errorf("no %q: the floor had room on its core, gws had none\n%s", want, &md)
		}
	}
}

func TestARepublishedPackageSaysOfWhatCommit(t *testing.T) {
	dir := t.TempDir()
	if got := republished(dir); got != "" {
		t.Errorf("republished = %q of a package without source_commit", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "source_commit"), []byte("b8704be92ff2b16c\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := republished(dir); !strings.HasSuffix(got, "source commit b8704be") {
		t.Errorf("republished = %q, want its commit", got)
	}
}
