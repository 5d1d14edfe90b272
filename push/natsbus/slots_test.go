package natsbus_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/natsbus"
)

// What is published in the moment after the bus says that it hears a channel
// reaches it, whichever server publishes.
func TestWhatIsPublishedAfterJoiningIsHeard(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	a, b := connect(t, natsbus.Options{URL: s.ClientURL()}), connect(t, natsbus.Options{URL: s.ClientURL()})
	r := listen(t, a)
	const channels = 400 // through the change from single slots to all of them
	for i := range channels {
		name := fmt.Sprint("c", i)
		join(t, a, name)
		publish(t, b, name, name, push.Retention{})
	}
	if got := r.await(t, channels); len(got) != channels {
		t.Errorf("%d events, want %d", len(got), channels)
	}
}

// While a server goes from single slots to all of them and back, each event comes
// once and in order.
func TestChangingWhatIsHeardLosesAndRepeatsNothing(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	a, b := connect(t, natsbus.Options{URL: s.ClientURL()}), connect(t, natsbus.Options{URL: s.ClientURL()})
	a.Hurry(5 * time.Millisecond)
	r := listen(t, a, "steady")
	done := make(chan int)
	quit := make(chan struct{})
	go func() {
		pace := time.NewTicker(200 * time.Microsecond) // more than a receiver takes would wait in NATS
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-quit:
				done <- n
				return
			case <-pace.C:
				if err := b.Publish(t.Context(), &push.Event{App: "1", Channels: []string{"steady"}, Name: "e", Data: fmt.Sprint(n)}); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for range 3 {
		for i := range 400 {
			join(t, a, fmt.Sprint("c", i))
		}
		for i := range 400 {
			a.Leave("1", fmt.Sprint("c", i))
		}
	}
	close(quit)
	want := <-done
	for i, data := range r.await(t, want) {
		if data != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", data, i)
		}
	}
	if got := r.data(); len(got) != want {
		t.Errorf("%d events, want %d", len(got), want)
	}
}

// A server is sent what it has subscribers for, and no more.
func TestAServerHearsOnlyTheSlotsOfItsChannels(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	a, b := connect(t, natsbus.Options{URL: s.ClientURL()}), connect(t, natsbus.Options{URL: s.ClientURL()})
	ra, rb := listen(t, a, "a"), listen(t, b, "b")
	if err := a.Publish(t.Context(), &push.Event{App: "1", Channels: []string{"a", "b"}, Name: "e", Data: "both"}); err != nil {
		t.Fatal(err)
	}
	publish(t, b, "a", "a", push.Retention{})
	publish(t, a, "b", "b", push.Retention{})
	if got := ra.await(t, 2); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"a", "both"}) {
		t.Errorf("a heard %v", got)
	}
	if got := rb.await(t, 2); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"b", "both"}) {
		t.Errorf("b heard %v", got)
	}
	for _, e := range append(ra.events, rb.events...) {
		if len(e.Channels) != 1 {
			t.Errorf("%s came for %v", e.Data, e.Channels)
		}
	}
	b.Leave("1", "b")
	if err := a.Publish(t.Context(), &push.Event{App: "1", Terminate: "u"}); err != nil {
		t.Fatal(err)
	}
	publish(t, a, "b", "late", push.Retention{})
	rb.await(t, 3) // the termination, which comes to every server
}
