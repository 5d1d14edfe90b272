package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestThinningKeepsTheLastSample(t *testing.T) {
	for _, n := range []int{0, 1, 2, 11, 12, 13, 25, 1000} {
		all := make([]sample, n)
		for i := range all {
			all[i].Seconds = i
		}
		some := thin(all, 12)
		if len(some) > 24 || len(some) < min(n, 12) {
			t.Errorf("%d of %d samples are kept", len(some), n)
		}
		if n > 0 && some[len(some)-1].Seconds != n-1 {
			t.Errorf("of %d samples the last kept is %d", n, some[len(some)-1].Seconds)
		}
	}
}

func TestWhatComesAfterAllStoodIsLeftOut(t *testing.T) {
	all := []sample{{Sockets: 1}, {Sockets: 9}, {Sockets: 9, RSS: 1}, {Sockets: 8, RSS: 2}, {Sockets: 1}}
	if got := untilClosing(all); len(got) != 3 || got[2].RSS != 1 {
		t.Errorf("%+v, want the first three", got)
	}
	if got := untilClosing(nil); len(got) != 0 {
		t.Errorf("%+v of nothing", got)
	}
}

// The guest may be in the middle of a line.
func TestSamplesThatAreNotWholeAreLeftOut(t *testing.T) {
	b := bench{options: options{cache: t.TempDir()}}
	if s := b.lastSample(); s != (sample{}) {
		t.Errorf("a sample of nothing: %+v", s)
	}
	must(t, os.WriteFile(filepath.Join(b.cache, "samples"), []byte("5 2000 100 200 300\n10 40"), 0o644))
	want := sample{Seconds: 5, Sockets: 2000, RSS: 100 << 10, Slab: 200 << 10, Left: 300 << 10}
	if all := b.samples(); len(all) != 1 || all[0] != want {
		t.Errorf("%+v, want %+v", all, want)
	}
}

func TestTheGuestsVariablesAreQuoted(t *testing.T) {
	b := bench{options: options{cache: "/tmp/it's", conns: 7}}
	for _, part := range []string{"#!/bin/bash\n", `export WORK='/tmp/it'\''s'`, "export CONNS='7'"} {
		if h := b.guestHeader(); !strings.Contains(h, part) {
			t.Errorf("header lacks %q:\n%s", part, h)
		}
	}
}

func TestAFleetTooSmallIsRefusedBeforeItStarts(t *testing.T) {
	b := bench{options: options{fleet: 10, conns: 1_000_000, roostBin: "/nowhere"}}
	if err := b.runFleet(t.Context()); err == nil || !strings.Contains(err.Error(), "-fleet 52") {
		t.Errorf("%v, want the number of servers that is enough", err)
	}
}

func TestEachKindOfRunKeepsTheOthersResult(t *testing.T) {
	dir := t.TempDir()
	first := results{Guest: &guest{record: record{Date: "then"}, PeakRSS: 123e6}}
	must(t, first.save(dir))
	var second results
	must(t, second.load(dir))
	second.Fleet = &fleet{Servers: 52, Standing: 1_000_000, Beat: time.Minute, Cores: 0.4}
	must(t, second.save(dir))
	text, err := os.ReadFile(filepath.Join(dir, "million.md"))
	must(t, err)
	for _, part := range []string{"then", "123.0 MB", "In 52 processes", "1,000,000", "12.00 µs"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("million.md lacks %q:\n%s", part, text)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
