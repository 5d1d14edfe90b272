package push

import (
	"testing"
	"time"
)

func TestWhatIsRefusedForItsRateUsesUpNothing(t *testing.T) {
	var b bucket
	for i, step := range []struct {
		n    int
		good bool
	}{{3, true}, {2, false}, {5, false}, {1, true}, {1, false}} {
		if got := b.allow(time.Second, time.Second/4, 4, step.n); got != step.good {
			t.Errorf("step %d: %d more of 4: %t", i, step.n, got)
		}
	}
	if !b.allow(2*time.Second, time.Second/4, 4, 4) {
		t.Error("a second later there is no room for a second's worth")
	}
}
