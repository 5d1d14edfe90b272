package push

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// Histories are what is kept of channels, in memory, for a Bus to build on. Each
// channel has an epoch and a sequence of its own. The zero value is not ready;
// NewHistories makes one. Several goroutines call it.
type Histories struct {
	mu   sync.Mutex
	logs map[logKey]*eventLog
	seed maphash.Seed // of epochs; another once an epoch has ended that had events
}

type logKey struct{ app, channel string }

// eventLog is the history of one channel. Its mu is held while an event is
// delivered, which is what keeps deliveries in the order of their positions.
type eventLog struct {
	mu      sync.Mutex
	head    protocol.Position // all up to it has been delivered
	floor   uint64            // all above it is in entries
	entries []logEntry
	used    time.Time     // last added to or attached to
	age     time.Duration // that entries are kept
	dead    bool          // no longer in the map
}

type logEntry struct {
	event *Event
	at    time.Time
}

// NewHistories returns histories without any event.
func NewHistories() *Histories {
	return &Histories{logs: make(map[logKey]*eventLog), seed: maphash.MakeSeed()}
}

// Add keeps e, published at that time, under the next position of its channel, and
// calls deliver before the channel's next event can be added. Of events with one
// ID it takes the first.
func (h *Histories) Add(e *Event, at time.Time, deliver func()) {
	l := h.lock(logKey{e.App, e.Channels[0]}, e.Keep)
	defer l.mu.Unlock()
	if e.ID != "" && slices.ContainsFunc(l.entries, func(had logEntry) bool { return had.event.ID == e.ID }) {
		return
	}
	e.Position = protocol.Position{Epoch: l.head.Epoch, Seq: l.head.Seq + 1}
	l.head = e.Position
	l.entries = append(l.entries, logEntry{e, at})
	l.trim(e.Keep.Count, l.used)
	deliver()
}

// Attach is Bus.Attach.
func (h *Histories) Attach(at Attachment, f func(Replay)) {
	l := h.lock(logKey{at.App, at.Channel}, at.Keep)
	defer l.mu.Unlock()
	f(l.since(at.Since))
}

// lock returns the log of a channel, locked, and makes one if need be.
func (h *Histories) lock(key logKey, keep Retention) *eventLog {
	now := time.Now()
	for {
		h.mu.Lock()
		l := h.logs[key]
		if l == nil {
			h.sweep(now)
			l = &eventLog{head: protocol.Position{Epoch: h.epoch(key)}}
			h.logs[key] = l
		}
		h.mu.Unlock()
		l.mu.Lock()
		if l.dead { // swept in between
			l.mu.Unlock()
			continue
		}
		l.used, l.age = now, keep.Age
		l.trim(keep.Count, now)
		return l
	}
}

// epoch is the same for a channel whose log was dropped empty: who has its beginning
// still misses nothing. Under mu.
func (h *Histories) epoch(key logKey) string {
	return strconv.FormatUint(maphash.String(h.seed, key.app+"/"+key.channel), 36) // an id has no slash
}

// Leave is Bus.Leave. An empty log is dropped with the last subscriber: who knows no
// more than an app's key may name channels without end.
func (h *Histories) Leave(app, channel string) {
	key := logKey{app, channel}
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.logs[key]
	if l == nil || !l.mu.TryLock() {
		return // of another server's subscribers, or its publishers, when it is in use
	}
	defer l.mu.Unlock()
	if l.head.Seq == 0 {
		h.drop(key, l)
	}
}

// drop forgets a log. Under its mu and h's.
func (h *Histories) drop(key logKey, l *eventLog) {
	l.dead = true
	l.trim(0, l.used)
	delete(h.logs, key)
	if l.head.Seq > 0 {
		h.seed = maphash.MakeSeed()
	}
}

// logIdle is how long a log is remembered beyond its last entry. Whoever comes
// back with a position after that is told that it can't be recovered.
const logIdle = time.Hour

// sweep forgets some of the logs that nobody has used for long. It looks at a
// few, in the map's random order, each time that a log is made, so that there
// are never many more than are in use. Under mu.
func (h *Histories) sweep(now time.Time) {
	const few = 8
	seen := 0
	for key, l := range h.logs {
		if seen++; seen > few {
			return
		}
		if !l.mu.TryLock() {
			continue // in use
		}
		if now.Sub(l.used) > l.age+logIdle {
			h.drop(key, l)
		}
		l.mu.Unlock()
	}
}

// trim drops what is above the count or over age.
func (l *eventLog) trim(count int, now time.Time) {
	for len(l.entries) > 0 && (len(l.entries) > count || now.Sub(l.entries[0].at) > l.age) {
		l.floor = l.entries[0].event.Position.Seq
		l.entries[0] = logEntry{} // lets go of the event
		l.entries = l.entries[1:]
	}
}

// since returns the history after p.
func (l *eventLog) since(p *protocol.Position) Replay {
	r := Replay{Head: l.head}
	if n := len(l.entries); n > 0 {
		r.Last = l.entries[n-1].event
	}
	if p == nil || p.Epoch != l.head.Epoch || p.Seq > l.head.Seq || p.Seq < l.floor {
		return r
	}
	r.Recovered = true
	i, _ := slices.BinarySearchFunc(l.entries, p.Seq+1, func(e logEntry, seq uint64) int {
		return cmp.Compare(e.event.Position.Seq, seq)
	})
	for _, entry := range l.entries[i:] {
		r.Missed = append(r.Missed, entry.event)
	}
	return r
}
