package push

import (
	"fmt"
	"strings"
	"sync"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// elsewhere counts the subscriptions to a channel on the other servers.
func (f *fleet) elsewhere(a *app, channel string) (n int) {
	if !f.peered.Load() {
		return 0
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, p := range f.peers {
		n += p.counts[a][channel]
	}
	return n
}

// subscribers counts the subscriptions to a channel on all servers.
func (a *app) subscribers(channel string) int {
	return a.hub.subscribers(channel) + a.fleet.elsewhere(a, channel)
}

// occupied returns the channels whose names begin with prefix, with their
// subscriptions on all servers.
func (a *app) occupied(prefix string) map[string]int {
	m := map[string]int{}
	a.hub.each(prefix, func(ch *channel, n int) { m[ch.name] = n })
	f := a.fleet
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, p := range f.peers {
		for name, n := range p.counts[a] {
			if strings.HasPrefix(name, prefix) {
				m[name] += n
			}
		}
	}
	return m
}

// changed is called when a subscription came or went here.
func (a *app) changed(channel string) {
	if _, own := protocol.UserOf(channel); own {
		return // told to nobody
	}
	a.fleet.countChanged(a, channel)
	a.occupancy.look(a, channel, true)
}

// occupancy is which channels have subscribers anywhere, as far as webhooks were
// told of it. It is empty in an app without webhooks.
type occupancy struct {
	mu sync.Mutex
	m  map[string]struct{}
}

// look is called after something has changed, and whoever looks last sees all
// changes: none is missed, however they cross.
func (o *occupancy) look(a *app, channel string, here bool) {
	if !a.hooks.any() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !a.hooks.any() { // forget may have been here meanwhile
		return
	}
	_, was := o.m[channel]
	switch is := a.subscribers(channel) > 0; {
	case is && !was:
		channel = strings.Clone(channel)
		o.m[channel] = struct{}{}
		a.happened(hookEvent{Name: hookOccupied, Channel: channel}, here)
	case was && !is:
		delete(o.m, channel)
		a.happened(hookEvent{Name: hookVacated, Channel: channel}, here)
	}
}

// forget is called when the last webhook has gone: what is vacated from then on goes
// unnoticed.
func (o *occupancy) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.m)
}

const (
	countTicks  = 20  // between two counts of a large channel
	smallNumber = 100 // of subscriptions, up to which a count is sent each tick (Pusher's figure)
)

func (f *fleet) showLater(a *app, channel string) {
	if !a.now().SubscriptionCounts {
		return
	}
	f.out.Lock()
	defer f.out.Unlock()
	f.todo.shown[chanKey{a, channel}] = struct{}{}
}

// showCounts tells subscribers here how many there are on all servers; of large
// channels when it is their time.
func (s *Server) showCounts(large bool) {
	f := s.fleet
	f.out.Lock()
	shown := taken(&f.todo.shown)
	f.out.Unlock()
	for k := range shown {
		ch := k.app.hub.find(k.name)
		if ch == nil || ch.members != nil {
			continue // members are told one by one
		}
		n := k.app.subscribers(k.name)
		if n > smallNumber && !large {
			f.showLater(k.app, k.name)
			continue
		}
		data := fmt.Appendf(nil, `{"subscription_count":%d}`, n)
		frame := protocol.AppendFrame(nil, protocol.EventSubscriptionCount, k.name, protocol.AppendString(nil, string(data)))
		ch.topic.Publish(engine.Text, frame)
	}
}
