//go:build unix

package engine

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	simSeed  = flag.Uint64("seed", 0, "replay the simulation of this seed, and tell what happens")
	simSeeds = flag.Int("seeds", 2000, "how many simulations to run from seed 1")
	simFresh = flag.Int("fresh", 500, "how many to run from a seed that nobody chose")
)

// TestSimulatedKernel runs the engine over sockets that misbehave as on the worst day
// of a kernel, among peers and handlers of the same kind, and wants every rule of this
// package to hold after each step. What a seed does, it does each time.
//
//	go test ./engine -run Simulated -seeds 100000
//	go test ./engine -run Simulated -seed 4711
func TestSimulatedKernel(t *testing.T) {
	if *simSeed != 0 {
		w := newWorld(*simSeed)
		w.trace = func(format string, args ...any) { t.Logf(format, args...) }
		if why := w.run(); why != "" {
			t.Fatal(why)
		}
		return
	}
	simulate(t, 1, *simSeeds)
	simulate(t, rand.Uint64(), *simFresh)
}

func simulate(t *testing.T, first uint64, n int) {
	t.Helper()
	if raceEnabled {
		n /= 10
	}
	began := time.Now()
	for seed := first; seed != first+uint64(n); seed++ {
		if why := newWorld(seed).run(); why != "" {
			t.Fatalf("%s\nreplay: go test ./engine -run Simulated -seed %d", why, seed)
		}
	}
	t.Logf("%d seeds from %d in %v", n, first, time.Since(began).Round(time.Millisecond))
}

// What a run does must come from its seed alone, or a failure could not be replayed.
func TestSimulationIsReplayable(t *testing.T) {
	for seed := range uint64(20) {
		if a, b := digest(seed), digest(seed); a != b {
			t.Errorf("seed %d: two runs of it differ", seed)
		}
	}
}

// digest is of all that happened in a run.
func digest(seed uint64) uint64 {
	h, w := fnv.New64a(), newWorld(seed)
	w.trace = func(format string, args ...any) { fmt.Fprintf(h, format, args...) }
	w.run()
	return h.Sum64()
}
