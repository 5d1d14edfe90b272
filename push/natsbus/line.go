package natsbus

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// line is what this server has at hand of one channel with history, so that a
// crowd that comes back needs no more than one look into the stream. It is a
// cache: forgotten when nobody attached for a while, and made anew then. Its mu
// is held while an event is delivered, which is what an attachment waits for.
type line struct {
	mu     sync.Mutex
	recent []entry // all of the channel's events above floor, in order
	floor  uint64
	prior  *entry // the last event at or below floor, if asked for
	asked  bool   // prior is known; nil when there is none
	size   int    // bytes of recent
	looks  int    // into the stream, under way: nothing is let go of meanwhile, as what they find must reach up to floor
	used   time.Time
	dead   bool // no longer in the map
}

type entry struct {
	event *push.Event
	at    time.Time
}

// around is about what an event takes beside its data.
const around = 300

func (e entry) size() int { return len(e.event.Data) + around }

// What lines may hold. Beyond it the stream is asked, which has everything.
const (
	lineSize = 256 << 10        // of one
	allSize  = 64 << 20         // of all of them
	lineIdle = 2 * time.Minute  // without an attachment
	lineAge  = 30 * time.Second // of an event; who comes back later asks the stream
)

// lines are by subject. mu is taken before a line's.
type lines struct {
	mu   sync.Mutex
	m    map[string]*line
	size atomic.Int64
}

// add appends the channel's next event. Under mu.
func (l *line) add(e entry, all *atomic.Int64) {
	l.recent = append(l.recent, e)
	l.grow(e.size(), all)
	l.trim(all)
}

func (l *line) grow(n int, all *atomic.Int64) {
	l.size += n
	all.Add(int64(n))
}

// trim drops the oldest beyond what may be held.
func (l *line) trim(all *atomic.Int64) {
	if l.looks > 0 {
		return
	}
	old := time.Now().Add(-lineAge)
	for len(l.recent) > 0 && (l.size > lineSize || all.Load() > allSize || l.recent[0].at.Before(old)) {
		first := l.recent[0]
		l.floor, l.prior, l.asked = first.event.Position.Seq, &first, true
		l.recent[0] = entry{} // lets go of the event
		l.recent = l.recent[1:]
		l.grow(-first.size(), all)
	}
}

// since answers an attachment from what is at hand, and reports false when that
// is not enough. head is the end of what has been delivered. Under mu.
func (l *line) since(at push.Attachment, head protocol.Position, now time.Time) (r push.Replay, ok bool) {
	r.Head = head
	if at.Last {
		last := l.prior
		if n := len(l.recent); n > 0 {
			last = &l.recent[n-1]
		} else if !l.asked {
			return r, false
		}
		if last != nil && now.Sub(last.at) <= at.Keep.Age {
			r.Last = last.event
		}
	}
	s := at.Since
	if s == nil || s.Epoch != head.Epoch || s.Seq > head.Seq {
		return r, true
	}
	if s.Seq < l.floor {
		return r, false
	}
	i := len(l.recent)
	for i > 0 && l.recent[i-1].event.Position.Seq > s.Seq {
		i--
	}
	r.Recovered, r.Missed = within(l.recent[i:], at.Keep, now)
	return r, true
}

// within returns the events if a history of that retention has them all.
func within(missed []entry, keep push.Retention, now time.Time) (all bool, events []*push.Event) {
	if len(missed) > keep.Count || len(missed) > 0 && now.Sub(missed[0].at) > keep.Age {
		return false, nil
	}
	for _, e := range missed {
		events = append(events, e.event)
	}
	return true, events
}

// learn adds what the stream has. Under mu.
func (l *line) learn(p *past, all *atomic.Int64) {
	if p.upTo < l.floor {
		return // events were let go of meanwhile
	}
	if p.whole && p.from < l.floor {
		n := 0
		for n < len(p.events) && p.events[n].event.Position.Seq <= l.floor {
			l.grow(p.events[n].size(), all)
			n++
		}
		l.recent = append(p.events[:n:n], l.recent...)
		l.floor, l.asked = p.from, false
	}
	if !l.asked {
		l.prior, l.asked = p.last, true
	}
}

// line returns the channel's, locked, and makes one when there is none.
func (b *Bus) line(subject string) *line {
	for {
		b.lines.mu.Lock()
		l := b.lines.m[subject]
		if l == nil {
			l = &line{floor: b.applied.Load()}
			b.lines.m[subject] = l
		}
		b.lines.mu.Unlock()
		l.mu.Lock()
		if !l.dead {
			l.used = time.Now()
			return l
		}
		l.mu.Unlock()
	}
}

// sweep forgets lines that nobody uses, and events that are old.
func (b *Bus) sweep(now time.Time) {
	b.lines.mu.Lock()
	defer b.lines.mu.Unlock()
	for subject, l := range b.lines.m {
		if !l.mu.TryLock() {
			continue // in use
		}
		l.trim(&b.lines.size)
		if l.looks == 0 && now.Sub(l.used) > lineIdle {
			b.forget(subject, l)
		}
		l.mu.Unlock()
	}
}

// forget takes a line out of the map. Under both locks.
func (b *Bus) forget(subject string, l *line) {
	l.dead = true
	l.grow(-l.size, &b.lines.size)
	delete(b.lines.m, subject)
}
