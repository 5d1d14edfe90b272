package push

import (
	"context"
	"sync"
	"time"
)

// MemoryBus joins the servers of one process: Publish calls every deliver
// itself. History is in memory and ends with the process, after which no
// position can be recovered. The zero value is not ready; NewMemoryBus makes one.
type MemoryBus struct {
	history *Histories
	subs    Subscribers

	listeners Listeners
}

// NewMemoryBus returns a bus without subscribers.
func NewMemoryBus() *MemoryBus { return &MemoryBus{history: NewHistories()} }

// Publish delivers e before it returns, and never fails.
func (b *MemoryBus) Publish(_ context.Context, e *Event) error {
	if e.Keep.Count > 0 {
		b.history.Add(e, time.Now(), func() { b.subs.Deliver(e) })
	} else {
		b.subs.Deliver(e)
	}
	return nil
}

// Subscribe never fails.
func (b *MemoryBus) Subscribe(deliver func(*Event)) (stop func(), err error) {
	return b.subs.Add(deliver), nil
}

// Join returns nil: this bus delivers everything.
func (b *MemoryBus) Join(string, string) (heard <-chan struct{}) { return nil }

// Leave returns at once.
func (b *MemoryBus) Leave(app, channel string) { b.history.Leave(app, channel) }

// Attach never fails, and has called f when it returns.
func (b *MemoryBus) Attach(_ context.Context, at Attachment, f func(Replay)) error {
	b.history.Attach(at, f)
	return nil
}

// Ready returns nil.
func (b *MemoryBus) Ready() error { return nil }

// Subscribers are the servers of this process on a bus. The zero value has none.
// Several goroutines call it.
type Subscribers struct {
	mu   sync.RWMutex
	m    map[int]func(*Event)
	next int
}

// Add has deliver called with each event. stop waits for deliveries under way, so
// deliver must not call it.
func (s *Subscribers) Add(deliver func(*Event)) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[int]func(*Event))
	}
	id := s.next
	s.next++
	s.m[id] = deliver
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.m, id)
	}
}

// Deliver hands e to all of them.
func (s *Subscribers) Deliver(e *Event) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, deliver := range s.m {
		deliver(e)
	}
}
