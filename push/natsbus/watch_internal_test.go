package natsbus

import (
	"context"
	"testing"
)

// NATS says once that there is no stream, and does not make one; then it is there
// again, as it was or shorter.
func TestAStreamThatCouldNotBeOpenedAgainIsFollowedInTheEnd(t *testing.T) {
	for name, lost := range map[string]uint64{"as it was": 0, "shorter": 10} {
		t.Run(name, func(t *testing.T) {
			d := deafen(t, 0)
			d.publish(t, 2)
			d.expect(t, 0, 2)
			close(d.quit)
			d.wg.Wait()
			d.quit = make(chan struct{}) // for Close
			over, cancel := context.WithCancel(t.Context())
			cancel()
			if err := d.reopen(over, "the stream was deleted"); err == nil {
				t.Fatal("opened without time")
			}
			before := d.position()
			d.applied.Store(before.Seq + lost) // as if as many more had been delivered
			d.publish(t, 2)
			for look := range shrunk {
				err := d.inspect()
				if followed := lost == 0 || look == shrunk-1; (err == nil) != followed {
					t.Fatalf("look %d: %v", look, err)
				}
			}
			if e := d.next(t); !e.Lost {
				t.Fatalf("got %+v, want that events were lost", e)
			}
			if goesOn := d.position().Epoch == before.Epoch; goesOn != (lost == 0) {
				t.Errorf("at %+v after %+v", d.position(), before)
			}
			d.publish(t, 1)
			d.expect(t, 4, 5)
		})
	}
}
