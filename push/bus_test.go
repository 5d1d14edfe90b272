package push_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// oddBus is a bus with something wrong.
type oddBus struct {
	*push.MemoryBus
	away    atomic.Bool   // nothing can be published or read
	heard   chan struct{} // of Join
	deliver func(*push.Event)
}

func (b *oddBus) Publish(ctx context.Context, e *push.Event) error {
	if b.away.Load() {
		return errors.New("away")
	}
	return b.MemoryBus.Publish(ctx, e)
}

func (b *oddBus) Attach(ctx context.Context, at push.Attachment, f func(push.Replay)) error {
	if b.away.Load() {
		return errors.New("away")
	}
	return b.MemoryBus.Attach(ctx, at, f)
}

func (b *oddBus) Join(string, string) <-chan struct{} { return b.heard }

func (b *oddBus) Subscribe(deliver func(*push.Event)) (stop func(), err error) {
	b.deliver = deliver
	return b.MemoryBus.Subscribe(deliver)
}

// A refusal would be for good: SDKs ask again after a close only.
func TestAHistoryThatCanNotBeReadSendsTheClientAway(t *testing.T) {
	bus := &oddBus{MemoryBus: push.NewMemoryBus()}
	r := start(t, push.Options{App: withHistory(5, time.Minute), Bus: bus})
	p := r.connect()
	bus.away.Store(true)
	p.send(protocol.EventSubscribe, map[string]any{"channel": "kept-a"})
	p.expectClose(protocol.CodeOverCapacity)
}

func TestASubscriptionIsConfirmedOnceTheBusBringsItsEvents(t *testing.T) {
	bus := &oddBus{MemoryBus: push.NewMemoryBus(), heard: make(chan struct{})}
	r := start(t, push.Options{Bus: bus})
	p := r.connect()
	p.send(protocol.EventSubscribe, map[string]any{"channel": "c"})
	confirmed := make(chan struct{})
	go func() {
		defer close(confirmed)
		p.expect(protocol.EventSubscribed)
	}()
	select {
	case <-confirmed:
		t.Fatal("confirmed before the bus had heard of it")
	case <-time.After(100 * time.Millisecond): // nothing is to come
	}
	close(bus.heard)
	<-confirmed
}

// Only they can have missed something that others have not missed as well.
func TestWhenEventsWereLostSubscribersWithHistoryAreSentBack(t *testing.T) {
	bus := &oddBus{MemoryBus: push.NewMemoryBus()}
	r := start(t, push.Options{App: withHistory(5, time.Minute), Bus: bus})
	kept, plain := r.subscriber("kept-a"), r.subscriber("news")
	bus.deliver(&push.Event{Lost: true})
	kept.expectElsewhere()
	plain.fence()
}

func TestSubscribersThatAreSentBackReturnSpread(t *testing.T) {
	bus := &oddBus{MemoryBus: push.NewMemoryBus()}
	r := start(t, push.Options{App: withHistory(5, time.Minute), Bus: bus, DrainWindow: 2 * time.Second})
	const conns = 60
	var peers []*peer
	for range conns {
		peers = append(peers, r.subscriber("kept-a"))
	}
	bus.deliver(&push.Event{Lost: true})
	r.keep("kept-a", 1, 1) // whoever got it would take nothing for missed
	var least, most time.Duration = time.Hour, 0
	for _, p := range peers {
		after := p.expectElsewhere()
		least, most = min(least, after), max(most, after)
	}
	if window := conns * time.Second / 100; most-least < window/2 || most > window {
		t.Errorf("they come back %v to %v later, and are to be spread over %v", least, most, window)
	}
}
