//go:build linux

package main

import (
	"strings"
	"testing"
)

func TestForcedCollectionsAreCountedAndPausesAreOfAll(t *testing.T) {
	g := parseTrace(`time=2026 level=INFO msg=listening
gc 1 @0.012s 2%: 0.026+0.39+0.50 ms clock, 0.2+0.8/0.5/0+0.8 ms cpu, 4->4->0 MB, 5 MB goal, 0 MB stacks, 0 MB globals, 8 P
gc 2 @1.012s 2%: 0.01+0.39+0.02 ms clock, 1+2/3/90+4 ms cpu, 4->4->7 MB, 5 MB goal, 0 MB stacks, 0 MB globals, 1 P (forced)
gc 3 @1.013s 2%: 0.01+0.39+0.02 ms clock, 1+2/3/90+14 ms cpu, 4->4->8 MB, 5 MB goal, 0 MB stacks, 0 MB globals, 1 P (forced)
`)
	if want := (trace{Collections: 2, Pause: 500, CPU: 15, Heap: 8}); g != want {
		t.Errorf("%+v, want %+v", g, want)
	}
}

func TestRatiosAreToTheFirstSizeOfTheRound(t *testing.T) {
	r := Results{Samples: []Sample{
		{Server: roost, Conns: 1000, Echo: 1}, {Server: floor, Conns: 1000, Echo: 50}, {Server: roost, Conns: 9000, Echo: 2},
		{Server: roost, Conns: 1000, Round: 1, Echo: 10}, {Server: roost, Conns: 9000, Round: 1, Echo: 20},
	}}
	if got := r.cell(r.Samples[2], func(s Sample) float64 { return s.Echo }); got != "11 (2.00 ×)" {
		t.Errorf("%q, want 11 (2.00 ×)", got)
	}
}

func TestMoreThanTheMemoryHoldsIsRefused(t *testing.T) {
	if err := fits(1000); err != nil {
		t.Error(err)
	}
	if err := fits(1_000_000_000); err == nil || !strings.Contains(err.Error(), "-sizes") {
		t.Errorf("%v, want it refused with the remedy", err)
	}
}
