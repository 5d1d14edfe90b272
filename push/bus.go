package push

import (
	"context"
	"sync"
)

// Event is one publication, as it travels between servers. It must not be
// changed once it was published: several goroutines read it.
type Event struct {
	App      string   // id of the app that it belongs to
	Channels []string // without duplicates, names checked
	Name     string   // of the event, checked
	Data     string   // what subscribers get as data
	Except   string   // socket id of the one connection that shall not get it; may be empty
}

// Bus carries events from the server that took a publication to every server
// that may have subscribers, itself included. Several goroutines call it.
type Bus interface {
	// Publish returns when the event has been handed over. An error means that
	// some server may not get it; the publisher is told and tries again.
	Publish(ctx context.Context, e *Event) error
	// Subscribe has deliver called with every event published from now on, in
	// the order of one publisher, until stop returns. deliver must not block.
	Subscribe(deliver func(*Event)) (stop func(), err error)
}

// MemoryBus joins the servers of one process: Publish calls every deliver
// itself. The zero value is not ready; NewMemoryBus makes one.
type MemoryBus struct {
	mu   sync.RWMutex
	subs map[int]func(*Event)
	next int
}

// NewMemoryBus returns a bus without subscribers.
func NewMemoryBus() *MemoryBus { return &MemoryBus{subs: make(map[int]func(*Event))} }

// Publish delivers e before it returns, and never fails.
func (b *MemoryBus) Publish(_ context.Context, e *Event) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, deliver := range b.subs {
		deliver(e)
	}
	return nil
}

// Subscribe never fails. stop waits for deliveries under way, so deliver must
// not call it.
func (b *MemoryBus) Subscribe(deliver func(*Event)) (stop func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.next
	b.next++
	b.subs[id] = deliver
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, id)
	}, nil
}
