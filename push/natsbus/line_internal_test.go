package natsbus

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// visitor stands for a client: away at times, and owed every event once.
type visitor struct {
	mu   sync.Mutex
	here bool
	last *protocol.Position
	next int // of the events' numbers
	bad  string
}

func (v *visitor) take(e *push.Event) {
	if e.Data != fmt.Sprint(v.next) && v.bad == "" {
		v.bad = fmt.Sprintf("got %s at %d, want %d", e.Data, e.Position.Seq, v.next)
	}
	v.next++
	p := e.Position
	v.last = &p
}

// Lines are forgotten and events let go of while visitors come and go amid them:
// what each is shown and what is delivered after it are whole, from wherever it
// comes.
func TestWhatIsReplayedAndWhatIsLiveMeet(t *testing.T) {
	d := deafen(t, 100000)
	d.hear(t)
	keep := push.Retention{Count: 100000, Age: time.Hour}
	visitors := make([]*visitor, 30)
	for i := range visitors {
		visitors[i] = &visitor{last: &protocol.Position{Epoch: *d.epoch.Load()}}
	}
	stop, err := d.Subscribe(func(e *push.Event) {
		for _, v := range visitors {
			v.mu.Lock()
			if v.here {
				v.take(e)
			}
			v.mu.Unlock()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	quit := make(chan struct{})
	var wg sync.WaitGroup
	come := func(v *visitor) {
		at := push.Attachment{App: "1", Channel: "c", Keep: keep, Since: v.last}
		err := d.Attach(t.Context(), at, func(r push.Replay) {
			v.mu.Lock()
			defer v.mu.Unlock()
			if !r.Recovered && v.bad == "" {
				v.bad = fmt.Sprintf("not recovered after %d", v.next)
			}
			for _, e := range r.Missed {
				v.take(e)
			}
			v.here = true
		})
		if err != nil {
			t.Error(err)
		}
	}
	for _, v := range visitors {
		wg.Go(func() {
			for {
				come(v)
				select {
				case <-quit:
					return
				case <-time.After(rand.N(3 * time.Millisecond)):
				}
				v.mu.Lock()
				v.here = false
				v.mu.Unlock()
				time.Sleep(rand.N(20 * time.Millisecond)) // how long it is away
			}
		})
	}
	wg.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(rand.N(5 * time.Millisecond)):
				d.sweep(time.Now().Add(2 * lineIdle))
			}
		}
	})
	d.publish(t, 600)
	close(quit)
	wg.Wait()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		behind := 0
		for _, v := range visitors {
			v.mu.Lock()
			if v.next < d.n {
				behind++
			}
			v.mu.Unlock()
		}
		if behind == 0 || time.Now().After(end) {
			break
		}
	}
	for i, v := range visitors {
		v.mu.Lock()
		if v.bad != "" || v.next != d.n {
			t.Errorf("visitor %d: %s; got %d of %d", i, v.bad, v.next, d.n)
		}
		v.mu.Unlock()
	}
}

// What a server has at hand is bounded, and what it let go of is in the stream.
func TestLinesHoldNoMoreThanTheirShare(t *testing.T) {
	d := deafen(t, 100000)
	d.hear(t)
	since := protocol.Position{Epoch: *d.epoch.Load()}
	d.attach(t, since) // from here on there is a line
	const events, size = 100, 10 << 10
	for range events {
		e := &push.Event{App: "1", Channels: []string{"c"}, Name: "e", Data: strings.Repeat("x", size), Keep: push.Retention{Count: 1000, Age: time.Hour}}
		if err := d.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		d.next(t)
	}
	if held := d.lines.size.Load(); held > lineSize || held < lineSize/2 {
		t.Errorf("%d bytes are held of %d, want at most %d", held, events*size, lineSize)
	}
	if r := d.attach(t, since); !r.Recovered || len(r.Missed) != events {
		t.Errorf("recovered %v, %d of %d events", r.Recovered, len(r.Missed), events)
	}
	d.sweep(time.Now().Add(2 * lineIdle))
	if held := d.lines.size.Load(); held != 0 || len(d.lines.m) != 0 {
		t.Errorf("%d bytes and %d lines are held of nobody", held, len(d.lines.m))
	}
}

// Nor does one that reads the stream for a client hold on to it beyond what all may.
func TestLinesHoldNoMoreThanAllMayAfterAReplay(t *testing.T) {
	d := deafen(t, 0)
	d.hear(t)
	close(d.quit) // so that nothing sweeps
	d.wg.Wait()
	d.quit = make(chan struct{}) // for Close
	since := d.position()
	const events = 20
	d.publish(t, events)
	d.expect(t, 0, events)
	d.lines.size.Add(allSize) // of others
	if r := d.attach(t, since); !r.Recovered || len(r.Missed) != events {
		t.Errorf("recovered %v, %d of %d events", r.Recovered, len(r.Missed), events)
	}
	if held := d.lines.size.Load(); held != allSize {
		t.Errorf("%d bytes are held, want the others' %d", held, allSize)
	}
	if r := d.attach(t, since); !r.Recovered || len(r.Missed) != events {
		t.Errorf("again: recovered %v, %d of %d events", r.Recovered, len(r.Missed), events)
	}
}

// A client may claim any position, and each one that is ahead costs a question.
func TestWhoClaimsToBeAheadWaitsWithTheOthers(t *testing.T) {
	d := deafen(t, 0)
	for range asking {
		d.asking <- struct{}{}
	}
	at := push.Attachment{App: "1", Channel: "c", Since: &protocol.Position{Epoch: *d.epoch.Load(), Seq: 1 << 63}}
	answered := make(chan push.Replay, 1)
	go func() {
		if err := d.Attach(t.Context(), at, func(r push.Replay) { answered <- r }); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-answered:
		t.Fatal("one more asked than may")
	case <-time.After(lookTime): // 100 times what a question takes
	}
	<-d.asking
	select {
	case r := <-answered:
		if r.Recovered {
			t.Error("a position that was never reached is recovered")
		}
	case <-time.After(answerTime):
		t.Fatal("no answer after another one's")
	}
}
