package push

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// MemoryBus joins the servers of one process: Publish calls every deliver
// itself. History is in memory and ends with the process, after which no
// position can be recovered. The zero value is not ready; NewMemoryBus makes one.
type MemoryBus struct {
	mu   sync.RWMutex
	subs map[int]func(*Event)
	next int

	logMu sync.Mutex
	logs  map[logKey]*memoryLog
}

type logKey struct{ app, channel string }

// memoryLog is the history of one channel. Its mu is held while an event is
// delivered, which is what keeps deliveries in the order of their positions.
type memoryLog struct {
	mu      sync.Mutex
	head    protocol.Position
	entries []logEntry
	used    time.Time     // last published to or attached to
	age     time.Duration // that entries are kept
	dead    bool          // no longer in the map
}

type logEntry struct {
	event *Event
	at    time.Time
}

// NewMemoryBus returns a bus without subscribers.
func NewMemoryBus() *MemoryBus {
	return &MemoryBus{subs: make(map[int]func(*Event)), logs: make(map[logKey]*memoryLog)}
}

// Publish delivers e before it returns, and never fails.
func (b *MemoryBus) Publish(_ context.Context, e *Event) error {
	if e.Keep.Count > 0 {
		l := b.lock(logKey{e.App, e.Channels[0]}, e.Keep)
		defer l.mu.Unlock()
		l.add(e)
	}
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

// Attach never fails, and has called f when it returns.
func (b *MemoryBus) Attach(_ context.Context, at Attachment, f func(Replay)) error {
	l := b.lock(logKey{at.App, at.Channel}, at.Keep)
	defer l.mu.Unlock()
	f(l.since(at.Since))
	return nil
}

// lock returns the log of a channel, locked, and makes one if need be.
func (b *MemoryBus) lock(key logKey, keep Retention) *memoryLog {
	now := time.Now()
	for {
		b.logMu.Lock()
		l := b.logs[key]
		if l == nil {
			b.sweep(now)
			l = &memoryLog{head: protocol.Position{Epoch: strconv.FormatUint(rand.Uint64(), 36)}}
			b.logs[key] = l
		}
		b.logMu.Unlock()
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

// logIdle is how long a log is remembered beyond its last entry. Whoever comes
// back with a position after that is told that it can't be recovered.
const logIdle = time.Hour

// sweep forgets some of the logs that nobody has used for long. It looks at a
// few, in the map's random order, each time that a log is made, so that there
// are never many more than are in use. Under logMu.
func (b *MemoryBus) sweep(now time.Time) {
	const few = 8
	seen := 0
	for key, l := range b.logs {
		if seen++; seen > few {
			return
		}
		if !l.mu.TryLock() {
			continue // in use
		}
		if now.Sub(l.used) > l.age+logIdle {
			l.dead = true
			delete(b.logs, key)
		}
		l.mu.Unlock()
	}
}

// add gives e its position and keeps it.
func (l *memoryLog) add(e *Event) {
	l.head.Seq++
	e.Position = l.head
	l.entries = append(l.entries, logEntry{e, l.used})
	l.trim(e.Keep.Count, l.used)
}

// trim drops what is above the count or over age.
func (l *memoryLog) trim(count int, now time.Time) {
	for len(l.entries) > 0 && (len(l.entries) > count || now.Sub(l.entries[0].at) > l.age) {
		l.entries[0] = logEntry{} // lets go of the event
		l.entries = l.entries[1:]
	}
}

// since returns the history after p. Everything after p is there when the oldest
// entry is p's successor or older, or when nothing came after p.
func (l *memoryLog) since(p *protocol.Position) Replay {
	r := Replay{Head: l.head}
	n := uint64(len(l.entries))
	if n > 0 {
		r.Last = l.entries[n-1].event
	}
	if p == nil || p.Epoch != l.head.Epoch || p.Seq > l.head.Seq || l.head.Seq-p.Seq > n {
		return r
	}
	r.Recovered = true
	for _, entry := range l.entries[n-(l.head.Seq-p.Seq):] {
		r.Missed = append(r.Missed, entry.event)
	}
	return r
}
