package push

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/roost-ws/roost/engine"
)

// channel is one occupied channel. It exists while refs is above 0, and once it
// is gone a later subscriber makes a new one.
type channel struct {
	name  string
	topic *engine.Topic
	refs  int // subscriptions, under the shard's mu
}

// hub maps names to channels. Shards keep connections that subscribe from
// waiting for each other.
type hub struct {
	seed   maphash.Seed
	shards [64]shard

	channels, subscriptions atomic.Int64 // for metrics: counting a million takes a while
}

type shard struct {
	mu sync.RWMutex
	m  map[string]*channel
}

func newHub() *hub {
	h := &hub{seed: maphash.MakeSeed()}
	for i := range h.shards {
		h.shards[i].m = make(map[string]*channel)
	}
	return h
}

func (h *hub) shard(name string) *shard {
	return &h.shards[maphash.String(h.seed, name)%uint64(len(h.shards))]
}

// join adds c to the channel, and makes the channel for the first. It returns nil
// when c is no longer open.
func (h *hub) join(c *engine.Conn, name string) *channel {
	s := h.shard(name)
	s.mu.Lock()
	ch := s.m[name]
	if ch == nil {
		// The clone lets go of the message that the name was cut out of.
		ch = &channel{name: strings.Clone(name), topic: engine.NewTopic(c.Engine())}
		s.m[ch.name] = ch
		h.channels.Add(1)
	}
	ch.refs++ // holds the channel while the lock is not
	h.subscriptions.Add(1)
	s.mu.Unlock()
	if !ch.topic.Subscribe(c) {
		h.release(ch)
		return nil
	}
	return ch
}

// leave takes c, a member, out of ch.
func (h *hub) leave(c *engine.Conn, ch *channel) {
	ch.topic.Unsubscribe(c)
	h.release(ch)
}

// release gives up one subscription whose connection has left the topic, and
// forgets the channel with the last.
func (h *hub) release(ch *channel) {
	s := h.shard(ch.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	h.subscriptions.Add(-1)
	if ch.refs--; ch.refs == 0 {
		delete(s.m, ch.name)
		h.channels.Add(-1)
	}
}

// topic returns nil for a channel without subscribers.
func (h *hub) topic(name string) *engine.Topic {
	s := h.shard(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if ch := s.m[name]; ch != nil {
		return ch.topic
	}
	return nil
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

// each calls f for every occupied channel whose name begins with prefix. Channels
// that come or go meanwhile may be missed. f must not call the hub.
func (h *hub) each(prefix string, f func(name string, subscribers int)) {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.RLock()
		for name, ch := range s.m {
			if strings.HasPrefix(name, prefix) {
				f(name, ch.refs)
			}
		}
		s.mu.RUnlock()
	}
}
