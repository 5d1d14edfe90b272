package push

import (
	"fmt"
	"testing"
)

// hubOf is the hub of an app with n channels of one subscriber each.
func hubOf(t testing.TB, n int) (*app, *hub) {
	t.Helper()
	c := RandomApp()
	a := newApp(&c, &Server{opts: Options{Bus: NewMemoryBus()}})
	for i := range n {
		name := fmt.Sprintf("channel-%d", i)
		ch := &channel{name: name, refs: 1}
		a.hub.shard(name).m[name] = ch
	}
	a.hub.channels.Store(int64(n))
	return a, a.hub
}

func TestLargestChannelsAreFoundWithoutLookingAtAllAtOnce(t *testing.T) {
	a, h := hubOf(t, 50_000)
	for i := range 2 * ranks {
		h.find(fmt.Sprintf("channel-%d", 1000*i)).refs = 100 + i
	}
	looks := 0
	for {
		looks++
		list := a.traffic.look(h)
		if len(list) == ranks && list[0] == (ranked{"channel-19000", 119}) && list[ranks-1].Count == 100+ranks {
			break
		}
		if looks > 50_000/lookSecond+2 {
			t.Fatalf("after %d looks: %v", looks, list)
		}
	}
	if looks == 1 {
		t.Errorf("one look saw all of 50,000 channels, and may see %d and a shard", lookSecond)
	}
	h.find("channel-19000").refs = 2
	if list := a.traffic.look(h); list[0].Name != "channel-18000" {
		t.Errorf("after the largest has shrunk: %v", list)
	}
}

func TestBusiestChannelsAreCountedWhileWatchedOnly(t *testing.T) {
	a, h := hubOf(t, 5000)
	ch := h.find("channel-7")
	a.traffic.count(ch)
	if list := a.traffic.turn(true); len(list) != 0 {
		t.Errorf("counted unwatched: %v", list)
	}
	for range 50 {
		a.traffic.count(ch)
	}
	for i := range 5000 { // more than there are meters
		a.traffic.count(h.find(fmt.Sprintf("channel-%d", i)))
	}
	if list := a.traffic.turn(false); len(list) != ranks || list[0] != (ranked{"channel-7", 51}) {
		t.Errorf("busiest: %v", list)
	}
	if a.traffic.count(ch); len(a.traffic.meters) != 0 {
		t.Error("a meter was begun with nobody watching")
	}
}

// A second of the dashboard, beside 100,000 channels.
func BenchmarkBoardSecond(b *testing.B) {
	a, _ := hubOf(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		a.sample(true)
	}
}

// What an event pays a channel for being watched, and for not.
func BenchmarkCount(b *testing.B) {
	for name, watched := range map[string]bool{"watched": true, "not": false} {
		b.Run(name, func(b *testing.B) {
			a, h := hubOf(b, 1)
			a.traffic.turn(watched)
			ch := h.find("channel-0")
			b.ReportAllocs()
			for b.Loop() {
				a.traffic.count(ch)
			}
		})
	}
}
