package natsbus

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// deafened is a bus that can be kept from hearing what the stream republishes.
type deafened struct {
	*Bus
	events chan *push.Event
	n      int
}

func deafen(t *testing.T, count int) *deafened {
	t.Helper()
	return deafenLogging(t, count, slog.DiscardHandler)
}

func deafenLogging(t *testing.T, count int, h slog.Handler) *deafened {
	t.Helper()
	e, err := StartEmbedded(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Connect(t.Context(), Options{Embedded: e, Count: count, Logger: slog.New(h)})
	if err != nil {
		t.Fatal(err)
	}
	d := &deafened{Bus: b, events: make(chan *push.Event, 3*batch)}
	stop, err := b.Subscribe(func(e *push.Event) { d.events <- e })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); b.Close() })
	if heard := b.Join("1", "c"); heard != nil {
		<-heard
	}
	if err := b.follower.sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deafened) publish(t *testing.T, n int) {
	t.Helper()
	for range n {
		e := &push.Event{App: "1", Channels: []string{"c"}, Name: "e", Data: fmt.Sprint(d.n), Keep: push.Retention{Count: 1000, Age: time.Hour}}
		d.n++
		if err := d.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *deafened) hear(t *testing.T) {
	t.Helper()
	sub, err := d.nc.ChanSubscribe(d.opts.Prefix+".live.>", d.follower.queue)
	if err != nil {
		t.Fatal(err)
	}
	d.follower.sub = sub
}

func (d *deafened) next(t *testing.T) *push.Event {
	t.Helper()
	select {
	case e := <-d.events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
		return nil
	}
}

func (d *deafened) expect(t *testing.T, from, to int) {
	t.Helper()
	for want := from; want < to; want++ {
		if e := d.next(t); e.Data != fmt.Sprint(want) || e.Position.Seq != uint64(want+1) {
			t.Fatalf("got %q at %d, want %d", e.Data, e.Position.Seq, want)
		}
	}
}

// Nothing comes after the last event to show that it is missing.
func TestALastEventThatWasNotHeardIsFetchedWithinASecond(t *testing.T) {
	d := deafen(t, 0)
	begun := time.Now()
	d.publish(t, 3)
	d.expect(t, 0, 3)
	if took := time.Since(begun); took > 5*time.Second { // 1 s, and a busy machine
		t.Errorf("it took %v", took)
	}
}

func TestEventsThatWereNotHeardComeBeforeTheNext(t *testing.T) {
	d := deafen(t, 3*batch)
	d.publish(t, 2*batch) // more than one request gets
	d.hear(t)
	d.publish(t, 2)
	d.expect(t, 0, 2*batch+2)
}

func TestEventsThatAreGoneBeforeTheyWereReadAreToldOf(t *testing.T) {
	d := deafen(t, 5)
	before := d.position()
	d.attach(t, before) // from here on there is a line
	d.publish(t, 20)
	if e := d.next(t); !e.Lost {
		t.Fatalf("got %+v, want that events were lost", e)
	}
	if r := d.attach(t, before); r.Recovered {
		t.Errorf("recovered with %d of 20 events, of which 15 are gone", len(r.Missed))
	}
	d.expect(t, 15, 20)
	if r := d.attach(t, before); r.Recovered {
		t.Errorf("recovered with %d of 20 events, of which 15 are gone", len(r.Missed))
	}
	before.Seq += 16
	if r := d.attach(t, before); !r.Recovered || len(r.Missed) != 4 {
		t.Errorf("behind the gap: recovered %v, %d of 4 events", r.Recovered, len(r.Missed))
	}
}

// A stream made anew gives out sequences that clients know already.
func TestAStreamMadeAnewBeginsAnEpoch(t *testing.T) {
	d := deafen(t, 0)
	d.publish(t, 3)
	d.expect(t, 0, 3)
	before := d.position()
	if err := d.js.DeleteStream(t.Context(), d.opts.Prefix); err != nil {
		t.Fatal(err)
	}
	if e := d.next(t); !e.Lost {
		t.Fatalf("got %+v, want that events were lost", e)
	}
	if d.position().Epoch == before.Epoch {
		t.Error("the epoch goes on")
	}
	if r := d.attach(t, before); r.Recovered {
		t.Error("a position of the stream that was deleted is recovered")
	}
}

// So does one that lost its end, as in a power cut without --data-sync.
func TestAStreamThatLostItsEndBeginsAnEpoch(t *testing.T) {
	d := deafen(t, 0)
	d.publish(t, 3)
	d.expect(t, 0, 3)
	for end := time.Now().Add(20 * time.Second); d.applied.Load() != 3; time.Sleep(time.Millisecond) { // noted behind the delivery
		if time.Now().After(end) {
			t.Fatalf("applied up to %d of 3", d.applied.Load())
		}
	}
	before := d.position()
	d.applied.Store(before.Seq + 10) // as if ten more had been delivered
	if e := d.next(t); !e.Lost {
		t.Fatalf("got %+v, want that events were lost", e)
	}
	if p := d.position(); p.Epoch == before.Epoch || p.Seq != before.Seq {
		t.Errorf("at %+v after %+v", p, before)
	}
	d.publish(t, 1)
	if e := d.next(t); e.Position != (protocol.Position{Epoch: d.position().Epoch, Seq: before.Seq + 1}) {
		t.Errorf("goes on at %+v", e.Position)
	}
	if r := d.attach(t, before); r.Recovered {
		t.Error("a position of the epoch before is recovered")
	}
}

// onLoss is called before anybody is told of a loss.
type onLoss struct {
	slog.Handler
	f func()
}

func (h *onLoss) Enabled(context.Context, slog.Level) bool { return true }

func (h *onLoss) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelError && h.f != nil {
		h.f()
	}
	return nil
}

// Else a client that gets one has a position in the new epoch, and resumes from it
// as if it had missed nothing before.
func TestAnEpochIsToldOfBeforeItsFirstEvent(t *testing.T) {
	h := &onLoss{Handler: slog.DiscardHandler}
	d := deafenLogging(t, 0, h)
	h.f = func() {
		d.publish(t, 1)
		for end := time.Now().Add(5 * time.Second); len(d.events)+len(d.follower.queue) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Error("the event was not heard")
				return
			}
		}
	}
	info, err := d.stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.nextGeneration(t.Context(), info); err != nil {
		t.Fatal(err)
	}
	if e := d.next(t); !e.Lost {
		t.Fatalf("got %+v, want that events were lost", e)
	}
	d.expect(t, 0, 1)
}

func (d *deafened) attach(t *testing.T, since protocol.Position) (got push.Replay) {
	t.Helper()
	at := push.Attachment{App: "1", Channel: "c", Keep: push.Retention{Count: 1000, Age: time.Hour}, Since: &since}
	if err := d.Attach(context.Background(), at, func(r push.Replay) { got = r }); err != nil {
		t.Fatal(err)
	}
	return got
}
