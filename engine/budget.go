package engine

import (
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
)

// budget is the ceiling on the memory that connections hold. What is lent is counted
// where it is lent; here the loops' counts are added up, now and then, and what comes
// of it is one of four levels. A connection that holds nothing never notices.
type budget struct {
	limit, grain int64 // bytes; no limit is 0
	used         atomic.Int64
	level        atomic.Uint32
	since        atomic.Uint32 // tick at which it left calm, or shedding for its sake ended

	paused        atomic.Int64
	refused, shed atomic.Uint64
}

// Levels of pressure, and the eighths of the budget at which they begin and end.
const (
	calm     = iota
	pausing  // connections that hold memory are not read
	refusing // nor sent to, and nobody is let in
	shedding // the heaviest are closed
)

// BudgetError is returned by a send that would have to wait while the connections of
// the Engine hold nearly all of MemoryBudget, and told to Handler.Error of one that is
// closed for it.
type BudgetError struct{ Used, Limit int64 }

func (e *BudgetError) Error() string {
	return fmt.Sprintf("engine: connections hold %d bytes of MemoryBudget %d: send less, or give the process more", e.Used, e.Limit)
}

// Is makes errors.Is(err, ErrMemory) hold for every BudgetError.
func (e *BudgetError) Is(target error) bool { return target == ErrMemory }

// ErrMemory is what errors.Is finds in a *BudgetError.
var ErrMemory = errors.New("engine: memory budget exhausted")

// MemoryStats say what connections hold, and what was done about it.
type MemoryStats struct {
	Budget  int64  // Config.MemoryBudget
	Used    int64  // bytes now: outboxes, unfinished messages, windows; 16 KiB a worker is its own
	Full    bool   // nobody is let in, and nothing more is sent that would wait
	Paused  int64  // connections not read for it now
	Refused uint64 // handshakes and sends
	Shed    uint64 // connections closed
}

func newBudget(limit int64, loops int) budget {
	return budget{limit: limit, grain: limit / int64(64*loops)}
}

// next is the level that used bytes bring, coming from level now: each ends an eighth
// below where it began.
func (b *budget) next(now uint32, used int64) uint32 {
	reached := func(level uint32, sixteenths int64) bool {
		if now >= level {
			sixteenths -= 2
		}
		return used >= b.limit/16*sixteenths
	}
	switch {
	case reached(shedding, 16):
		return shedding
	case reached(refusing, 15):
		return refusing
	case reached(pausing, 14):
		return pausing
	}
	return calm
}

func (b *budget) err() error { return &BudgetError{Used: b.used.Load(), Limit: b.limit} }

// refuses reports whether nothing more is to be taken on, and counts it.
func (b *budget) refuses() bool {
	if b.level.Load() < refusing {
		return false
	}
	b.refused.Add(1)
	return true
}

// weigh adds up what the loops lent, when this one's share has changed by a grain.
// Any goroutine: it looks again behind its word, which may be older than another's that
// came before it.
func (l *loop) weigh() {
	b := &l.e.budget
	if b.limit == 0 {
		return
	}
	for {
		mine := l.bytes.Lent()
		if d := mine - l.weighed.Load(); -b.grain < d && d < b.grain {
			return
		}
		b.used.Add(mine - l.weighed.Swap(mine))
		for l.judge() {
		}
	}
}

// judge brings the level to where what is used wants it, one change at a time. It reports
// whether to judge again: another loop may have added to what is used meanwhile, and
// found the old level right.
func (l *loop) judge() bool {
	b := &l.e.budget
	now := b.level.Load()
	next := b.next(now, b.used.Load())
	if next == now {
		return false
	}
	if !b.level.CompareAndSwap(now, next) {
		return true
	}
	if now == calm {
		b.since.Store(l.e.now())
	}
	for _, other := range l.e.loops {
		other.wake() // to shed, or to read on
	}
	return true
}

// underBudget is a loop's part in the budget, once a step.
func (l *loop) underBudget() {
	b := &l.e.budget
	if b.limit == 0 {
		return
	}
	l.weigh()
	switch level := b.level.Load(); {
	case level == calm:
		l.shedder = shedder{}
		l.chokes.release(l)
	case level == shedding || l.stuck():
		l.shed()
	default:
		l.shedder = shedder{}
	}
}

// stuckAfter is how long connections stay paused for a budget before the heaviest of
// them are closed: what each of them holds may be what all wait for.
const stuckAfter = 50 // ticks

func (l *loop) stuck() bool {
	b := &l.e.budget
	return b.level.Load() != calm && b.paused.Load() > 0 && l.e.now()-min(b.since.Load(), l.e.now()) > stuckAfter
}

// shedder is where a loop is in closing the heaviest of its connections.
type shedder struct {
	at    int // page of the table
	pages int // looked at since the floor was lowered
	floor int // bytes: from where one is heavy; 0 before the first page
	on    bool
	done  uint32 // tick at which all was looked at and nothing is heavy
}

// Bytes under which a connection is not worth closing, and pages after which the floor
// is halved: what is heavy is judged by a sample.
const (
	minHeavy    = 1 << 10
	samplePages = 4
)

// shed looks at one page of the table and closes those of this loop's connections
// that are heavy, while that is needed. A step of the loop does no more than that.
func (l *loop) shed() {
	s := &l.shedder
	if now := l.now.Load(); s.done != 0 && s.done == now {
		return
	}
	p, wrapped := l.e.table.page(&s.at)
	if p != nil {
		l.closeHeavy(p)
	}
	if s.pages++; s.pages >= samplePages || wrapped {
		s.pages, s.floor = 0, s.floor/2
	}
	s.on, s.done = true, 0
	if wrapped && s.floor < minHeavy {
		s.on, s.done = false, l.now.Load() // until something changes
	}
}

func (l *loop) closeHeavy(p *page) {
	s, b := &l.shedder, &l.e.budget
	var heavy [64][]*Conn // by the power of two of what they hold
	most := 0
	for i := range p {
		if c := p[i].Load(); c != nil && c.loop == l {
			if w := c.weight(); w >= max(s.floor, minHeavy) {
				heavy[bits.Len(uint(w))] = append(heavy[bits.Len(uint(w))], c)
				most = max(most, w)
			}
		}
	}
	if s.floor == 0 {
		s.floor = most / 2
	}
	for k := len(heavy) - 1; k >= bits.Len(uint(max(s.floor, minHeavy))); k-- {
		for _, c := range heavy[k] {
			if c.unload() {
				b.shed.Add(1)
			}
			if l.weigh(); b.level.Load() != shedding && !l.stuck() {
				return
			}
		}
	}
}

// sheds reports whether there is more to look at, at once.
func (l *loop) sheds() bool { return l.shedder.on }
