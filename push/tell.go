package push

import (
	"context"
	"fmt"
	"sync"
)

// Listeners are the servers of this process that a Bus tells things. The zero
// value has none. Several goroutines call it.
type Listeners struct {
	mu sync.RWMutex
	m  map[*listener]struct{}
}

// listener has a queue of its own, so that nobody waits for it. What does not fit
// is dropped: those who tell number what they say.
type listener struct {
	node  string
	queue chan []byte
}

const listenQueue = 4096 // texts that wait for one listener

// Add is Bus.Listen.
func (ls *Listeners) Add(node string, f func(text []byte)) (stop func()) {
	l := &listener{node, make(chan []byte, listenQueue)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for text := range l.queue {
			f(text)
		}
	}()
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.m == nil {
		ls.m = make(map[*listener]struct{})
	}
	ls.m[l] = struct{}{}
	return func() {
		ls.mu.Lock()
		delete(ls.m, l)
		close(l.queue)
		ls.mu.Unlock()
		<-done
	}
}

// Tell hands text to those who listen as node, or to all when node is "".
func (ls *Listeners) Tell(node string, text []byte) {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	for l := range ls.m {
		if node != "" && l.node != node {
			continue
		}
		select {
		case l.queue <- text:
		default: // it has fallen behind
		}
	}
}

// Tell fails only for a text above MaxTold.
func (b *MemoryBus) Tell(_ context.Context, node string, text []byte) error {
	if err := CheckTold(text); err != nil {
		return err
	}
	b.listeners.Tell(node, text)
	return nil
}

// Listen never fails.
func (b *MemoryBus) Listen(node string, f func(text []byte)) (stop func(), err error) {
	return b.listeners.Add(node, f), nil
}

// CheckTold returns an error for a text that Tell must not take.
func CheckTold(text []byte) error {
	if len(text) > MaxTold {
		return fmt.Errorf("push: a text for other servers has %d bytes and may have %d: send several", len(text), MaxTold)
	}
	return nil
}
