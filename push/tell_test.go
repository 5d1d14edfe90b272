package push_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/roost-ws/roost/push"
)

// heard is what one listener was told.
type heard struct {
	mu    sync.Mutex
	texts []string
}

func hear(t *testing.T, b push.Bus, node string) *heard {
	t.Helper()
	h := &heard{}
	stop, err := b.Listen(node, func(text []byte) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.texts = append(h.texts, string(text))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return h
}

func (h *heard) await(t *testing.T, want []string) {
	t.Helper()
	eventually(t, "what was told has been heard", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.texts) >= len(want)
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.texts, want) {
		t.Errorf("heard %v, want %v", h.texts, want)
	}
}

func TestWhatIsToldToOneOrToAllArrivesInOrder(t *testing.T) {
	bus := push.NewMemoryBus()
	a, b := hear(t, bus, "a"), hear(t, bus, "b")
	var toA, toB []string
	for i := range 300 {
		node, text := []string{"", "a", "b"}[i%3], strconv.Itoa(i)
		if node != "b" {
			toA = append(toA, text)
		}
		if node != "a" {
			toB = append(toB, text)
		}
		if err := bus.Tell(t.Context(), node, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	a.await(t, toA)
	b.await(t, toB)
	if err := bus.Tell(t.Context(), "", make([]byte, push.MaxTold+1)); err == nil {
		t.Error("a text above the limit was taken")
	}
}
