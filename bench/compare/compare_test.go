package main

import (
	"os"
	"path/filepath"
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

func TestSettingsShareThePlainRunOfTheirWork(t *testing.T) {
	groups := jobsOf([]setting{{Flags: "-a", Work: "connect"}, {Flags: "-b", Work: "connect"}, {Flags: "-a", Work: "idle"}, {Work: "echo-tls", Base: "echo-plain"}})
	runs := 0
	for _, g := range groups {
		runs += len(g)
	}
	if len(groups) != 4 || runs != 7 {
		t.Errorf("%v: %d groups of %d runs; want a plain run for connect, idle and echo-plain, and 4 others", groups, len(groups), runs)
	}
	for _, s := range tuning() {
		if s.work().Name != s.Work || s.plain().work().Name == "" {
			t.Errorf("%+v is of no work", s)
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
