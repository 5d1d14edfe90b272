package push

import (
	"fmt"
	"testing"
	"time"
)

func TestAWitnessRemembersTheLastOfWhatIsNew(t *testing.T) {
	var w witness
	const more = 20
	for i := range hookQueue + more {
		w.add(hookEvent{Name: hookVacated, Channel: fmt.Sprint(i)}, "o", time.Hour)
	}
	if len(w.seen) != hookQueue || w.seen[0].Channel != fmt.Sprint(more) {
		t.Errorf("%d are remembered from %s on, want %d from %d on", len(w.seen), w.seen[0].Channel, hookQueue, more)
	}
	time.Sleep(time.Microsecond) // until all is old
	w.add(hookEvent{Name: hookVacated, Channel: "new"}, "o", time.Nanosecond)
	if len(w.seen) != 1 || w.seen[0].Channel != "new" {
		t.Errorf("%d are remembered, the first %s", len(w.seen), w.seen[0].Channel)
	}
}

// The caller holds locks of the whole app.
func BenchmarkWitnessThatIsFull(b *testing.B) {
	var w witness
	for range hookQueue {
		w.add(hookEvent{Name: hookVacated, Channel: "c"}, "o", time.Hour)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.add(hookEvent{Name: hookVacated, Channel: "c"}, "o", time.Hour)
	}
}
