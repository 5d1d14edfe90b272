//go:build unix

package engine

import (
	"math/rand/v2"
	"testing"
)

// expire advances to now and returns the connections visited, by name.
func expire(w *wheel, now uint32, names map[*Conn]string) (got []string) {
	for _, c := range w.advance(now) {
		got = append(got, names[c])
	}
	return got
}

func TestWheelVisitsAtTheEarliestDeadline(t *testing.T) {
	t.Parallel()
	w := new(wheel)
	a, b, far := new(Conn), new(Conn), new(Conn)
	names := map[*Conn]string{a: "a", b: "b", far: "far"}
	w.arm(a, 10)
	w.arm(a, 20) // later: no matter
	w.arm(b, 20)
	w.arm(b, 5)                // earlier: moves
	w.arm(far, 3+2*wheelSlots) // in the slot of tick 3
	for now := uint32(1); now < 30; now++ {
		got := expire(w, now, names)
		want := map[uint32]string{5: "b", 10: "a"}[now]
		if len(got) > 1 || len(got) == 1 && got[0] != want || len(got) == 0 && want != "" {
			t.Fatalf("tick %d: %v, want %q", now, got, want)
		}
	}
	if at, ok := w.next(); !ok || at != 3+wheelSlots {
		t.Fatalf("next %d %v: a slot that holds something is looked at once a rotation", at, ok)
	}
	if got := expire(w, 3+wheelSlots, names); got != nil {
		t.Fatalf("%v came a rotation too early", got)
	}
	if got := expire(w, 3+2*wheelSlots, names); len(got) != 1 {
		t.Fatalf("%v, want far", got)
	}
	if _, ok := w.next(); ok {
		t.Fatal("an empty wheel has a next")
	}
}

func TestWheelDisarm(t *testing.T) {
	t.Parallel()
	w := new(wheel)
	var cs [3]Conn // of one slot: the middle, the head, the tail
	for i := range cs {
		w.arm(&cs[i], 7)
	}
	w.disarm(&cs[1])
	w.disarm(&cs[1])
	w.disarm(&cs[2])
	w.disarm(&cs[0])
	if _, ok := w.next(); ok || w.advance(10) != nil && len(w.expired) != 0 {
		t.Fatal("disarmed connections are still in the wheel")
	}
	w.arm(&cs[0], 3) // past: the next tick, not a rotation later
	if at, ok := w.next(); !ok || at != 11 {
		t.Fatal(at, ok)
	}
}

func TestWheelTellsWhenTheLoopSleepsTooLong(t *testing.T) {
	t.Parallel()
	w := new(wheel)
	a, b, c := new(Conn), new(Conn), new(Conn)
	w.next() // sleeps for ever
	if !w.arm(a, 100) {
		t.Error("the loop sleeps for ever and is not woken")
	}
	if at, _ := w.next(); at != 100 {
		t.Fatal(at)
	}
	if w.arm(b, 100) || w.arm(c, 150) {
		t.Error("woken for nothing")
	}
	if !w.arm(c, 99) {
		t.Error("the loop sleeps until 100 and is not woken for 99")
	}
}

// However deadlines are spread and the loop sleeps, each comes at the first look
// at or after its tick, and only then.
func TestWheelRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		w := new(wheel)
		start := rnd.Uint32N(5000)
		w.at = start
		due := map[*Conn]uint32{}
		for range 300 {
			c := new(Conn)
			due[c] = start + 1 + rnd.Uint32N(4*wheelSlots)
			w.arm(c, due[c])
			if rnd.IntN(4) == 0 {
				earlier := start + 1 + rnd.Uint32N(2*wheelSlots)
				w.arm(c, earlier)
				due[c] = min(due[c], earlier)
			}
			if rnd.IntN(10) == 0 {
				w.disarm(c)
				delete(due, c)
			}
		}
		last := start
		for len(due) > 0 {
			at, ok := w.next()
			if !ok {
				t.Fatalf("seed %d: %d connections were forgotten", seed, len(due))
			}
			now := at
			if rnd.IntN(3) == 0 { // a late loop
				now += rnd.Uint32N(3 * wheelSlots)
			}
			for _, c := range w.advance(now) {
				if d := due[c]; d <= last || d > now {
					t.Fatalf("seed %d: due %d, came at %d, after a look at %d", seed, d, now, last)
				}
				delete(due, c)
			}
			for _, d := range due {
				if d <= now {
					t.Fatalf("seed %d: due %d, not seen at %d", seed, d, now)
				}
			}
			last = now
		}
	}
}
