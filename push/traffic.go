package push

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// traffic finds the busiest and the largest channels of an app for those who
// watch, without ever looking at all channels in one moment. While nobody
// watches it costs one atomic load an event and channel.
type traffic struct {
	second atomic.Uint32 // that is being counted; 0 while nobody watches
	full   atomic.Bool   // this second has all the meters that it may have

	mu     sync.Mutex
	meters []*meter // of this second, in the order in which channels spoke

	// Owned by the board's goroutine.
	seconds uint32
	shard   int // to be looked at next
	largest []ranked
}

// meter counts the events of one channel in one second.
type meter struct {
	ch     *channel
	second uint32
	events atomic.Int64
}

// ranked is a channel and what it is ranked by.
type ranked struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

const (
	ranks      = 10   // channels shown of each kind
	maxMeters  = 1024 // a second: whoever speaks most is among the first to speak
	lookSecond = 8192 // channels looked at a second for the largest
)

// count notes one event of ch. Several goroutines call it.
func (t *traffic) count(ch *channel) {
	second := t.second.Load()
	if second == 0 {
		return
	}
	if m := ch.meter.Load(); m != nil && m.second == second {
		m.events.Add(1)
	} else if !t.full.Load() {
		t.begin(ch, second)
	}
}

func (t *traffic) begin(ch *channel, second uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := ch.meter.Load(); m != nil && m.second == second { // another was faster
		m.events.Add(1)
		return
	}
	if t.second.Load() != second || len(t.meters) == maxMeters {
		t.full.Store(len(t.meters) == maxMeters)
		return
	}
	m := &meter{ch: ch, second: second}
	m.events.Store(1)
	ch.meter.Store(m)
	t.meters = append(t.meters, m)
}

// turn ends a second and begins the next, if somebody watches it. It returns the
// busiest channels of the one that ended.
func (t *traffic) turn(watched bool) []ranked {
	t.seconds = max(1, t.seconds+1)
	t.mu.Lock()
	meters := t.meters
	t.meters = nil
	t.full.Store(false)
	if watched {
		t.second.Store(t.seconds)
	} else {
		t.second.Store(0)
	}
	t.mu.Unlock()
	var list []ranked
	for _, m := range meters {
		list = offer(list, m.ch.name, int(m.events.Load()))
	}
	return sorted(list)
}

// look returns the channels with the most subscribers out of those that it has
// come across. Each call looks at some more of the hub's.
func (t *traffic) look(h *hub) []ranked {
	list := make([]ranked, 0, ranks)
	for _, r := range t.largest {
		if n := h.subscribers(r.Name); n > 0 {
			list = append(list, ranked{r.Name, n})
		}
	}
	t.shard = h.sample(t.shard, lookSecond, func(name string, subscribers int) {
		list = offer(list, name, subscribers)
	})
	t.largest = sorted(list)
	return t.largest
}

// offer adds a channel to a list that keeps the highest.
func offer(list []ranked, name string, n int) []ranked {
	if len(list) < ranks {
		if !holds(list, name) {
			list = append(list, ranked{name, n})
		}
		return list
	}
	least := 0
	for i := range list {
		if list[i].Count < list[least].Count {
			least = i
		}
	}
	if n > list[least].Count && !holds(list, name) {
		list[least] = ranked{name, n}
	}
	return list
}

func holds(list []ranked, name string) bool {
	return slices.ContainsFunc(list, func(r ranked) bool { return r.Name == name })
}

func sorted(list []ranked) []ranked {
	slices.SortFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return list
}
