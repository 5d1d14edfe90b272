package push

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// channel is one occupied channel. It exists while refs is above 0, and once it
// is gone a later subscriber makes a new one.
type channel struct {
	name    string
	traced  bool // events carry their trace
	topic   *engine.Topic
	members *members        // of a presence channel; else nil
	heard   <-chan struct{} // closed once the bus brings its events; nil: it does
	meter   atomic.Pointer[meter]
	refs    int // subscriptions, under the shard's mu
}

// hub maps names to channels. Shards keep connections that subscribe from
// waiting for each other.
type hub struct {
	app    *app
	bus    Bus
	seed   maphash.Seed
	shards [64]shard

	channels, subscriptions atomic.Int64 // for metrics: counting a million takes a while
}

type shard struct {
	mu sync.RWMutex
	m  map[string]*channel
}

func newHub(a *app, bus Bus) *hub {
	h := &hub{app: a, bus: bus, seed: maphash.MakeSeed()}
	for i := range h.shards {
		h.shards[i].m = make(map[string]*channel)
	}
	return h
}

func (h *hub) shard(name string) *shard {
	return &h.shards[maphash.String(h.seed, name)%uint64(len(h.shards))]
}

// hold returns the channel for one more subscription, and makes it for the
// first. release gives it back.
func (h *hub) hold(e *engine.Engine, name string) *channel {
	ch := h.add(e, name)
	h.app.changed(ch.name)
	return ch
}

func (h *hub) add(e *engine.Engine, name string) *channel {
	s := h.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.m[name]
	if ch == nil {
		// The clone lets go of the message that the name was cut out of.
		ch = &channel{name: strings.Clone(name), topic: h.app.slow(name).topic(e), traced: h.app.traced(name)}
		if protocol.IsPresence(name) {
			ch.members = h.app.presences.hold(ch.name)
		}
		ch.heard = h.bus.Join(h.app.ID, ch.name)
		s.m[ch.name] = ch
		h.channels.Add(1)
	}
	ch.refs++
	h.subscriptions.Add(1)
	return ch
}

// release gives up one subscription whose connection is not, or no longer, in
// the topic, and forgets the channel with the last.
func (h *hub) release(ch *channel) {
	h.drop(ch)
	h.app.changed(ch.name)
}

func (h *hub) drop(ch *channel) {
	s := h.shard(ch.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	h.subscriptions.Add(-1)
	if ch.refs--; ch.refs == 0 {
		delete(s.m, ch.name)
		h.bus.Leave(h.app.ID, ch.name)
		h.channels.Add(-1)
		if ch.members != nil {
			h.app.presences.release(ch.members)
		}
	}
}

// find returns nil for a channel without subscribers. What it returns may be
// abandoned at any moment.
func (h *hub) find(name string) *channel {
	s := h.shard(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[name]
}

// subscribers counts the subscriptions to one channel.
func (h *hub) subscribers(name string) int {
	s := h.shard(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if ch := s.m[name]; ch != nil {
		return ch.refs
	}
	return 0
}

// sample calls f for the channels of some shards, until it has seen as many as it
// may or all of them, and returns the shard to go on with. f must not call the hub.
func (h *hub) sample(from, most int, f func(name string, subscribers int)) (next int) {
	seen := 0
	for range h.shards {
		s := &h.shards[from]
		s.mu.RLock()
		for name, ch := range s.m {
			if _, own := protocol.UserOf(name); !own {
				f(ch.name, ch.refs)
			}
		}
		seen += len(s.m)
		s.mu.RUnlock()
		from = (from + 1) % len(h.shards)
		if seen >= most {
			break
		}
	}
	return from
}

// each calls f for every occupied channel whose name begins with prefix, but for
// those of single users. Channels that come or go meanwhile may be missed. f must
// not call the hub.
func (h *hub) each(prefix string, f func(ch *channel, subscribers int)) {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.RLock()
		for name, ch := range s.m {
			if _, own := protocol.UserOf(name); !own && strings.HasPrefix(name, prefix) {
				f(ch, ch.refs)
			}
		}
		s.mu.RUnlock()
	}
}
