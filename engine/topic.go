package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// Topic is a set of connections that get what is published. Its methods may be
// called from any goroutine. A Topic costs nothing when nobody refers to it any
// more; it needs no closing.
//
// What one goroutine publishes reaches each member in that order. Publishing
// returns before delivery: each loop delivers to its own members, a slice at a
// time, and what is published meanwhile leaves with it in one write.
type Topic struct {
	e     *Engine
	opts  TopicOptions
	parts []part // by loop

	published, dropped, disconnected atomic.Uint64
}

// part is the members on one loop. Delivery goes by index and is interrupted, so
// while it is under way nobody moves: who leaves, leaves a gap.
type part struct {
	mu      sync.Mutex
	seats   []*seat
	gaps    int
	casting bool
	served  uint64 // messages to members, those dropped included
	pending []cast // for the next pass
	spare   []cast
}

// seat is one membership. A connection's seats are a list under its mu.
type seat struct {
	topic *Topic
	conn  *Conn
	next  *seat
	at    int // in the part; under the part's mu
}

// NewTopic makes a Topic without members.
func NewTopic(e *Engine) *Topic { return newTopic(e, TopicOptions{MaxBehind: unlimited}) }

func newTopic(e *Engine, o TopicOptions) *Topic {
	return &Topic{e: e, opts: o, parts: make([]part, len(e.loops))}
}

// NewTopicWith is NewTopic with options. The error says which of them is out of range.
func NewTopicWith(e *Engine, o TopicOptions) (*Topic, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return newTopic(e, o), nil
}

func (t *Topic) part(c *Conn) *part { return &t.parts[c.loop.index] }

// Subscribe makes c a member. It reports false when c is one already, is not
// open, or lives on another Engine. A member leaves by itself when it closes,
// before its Handler.Close is called.
func (t *Topic) Subscribe(c *Conn) bool {
	if c.loop.e != t.e {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ReadyState() != Open {
		return false
	}
	for s := c.seats; s != nil; s = s.next {
		if s.topic == t {
			return false
		}
	}
	s := &seat{topic: t, conn: c, next: c.seats}
	c.seats = s
	p := t.part(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.at = len(p.seats)
	p.seats = append(p.seats, s)
	return true
}

// Unsubscribe ends c's membership. It reports false when there was none.
func (t *Topic) Unsubscribe(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := &c.seats; *at != nil; at = &(*at).next {
		if s := *at; s.topic == t {
			*at = s.next
			t.part(c).leave(s)
			return true
		}
	}
	return false
}

// leaveAll ends all of c's memberships.
func (c *Conn) leaveAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := c.seats; s != nil; s = s.next {
		s.topic.part(c).leave(s)
	}
	c.seats = nil
}

func (p *part) leave(s *seat) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.casting {
		p.seats[s.at] = nil
		p.gaps++
		return
	}
	last := len(p.seats) - 1
	p.seats[s.at] = p.seats[last]
	p.seats[s.at].at = s.at
	p.seats[last] = nil
	p.seats = p.seats[:last]
}

// close closes the gaps, keeping the order, also of what is pending.
func (p *part) close() {
	n, k := 0, 0
	for i, s := range p.seats {
		for ; k < len(p.pending) && p.pending[k].end == i; k++ {
			p.pending[k].end = n
		}
		if s != nil {
			s.at = n
			p.seats[n] = s
			n++
		}
	}
	for ; k < len(p.pending); k++ {
		p.pending[k].end = n
	}
	clear(p.seats[n:])
	p.seats, p.gaps = p.seats[:n], 0
}

// Len returns the number of members.
func (t *Topic) Len() int {
	n := 0
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		n += len(p.seats) - p.gaps
		p.mu.Unlock()
	}
	return n
}

// Publish sends data to all members as one message; op is Text or Binary. It is
// encoded once, and deflated once for each size of window among the members. data is the caller's again when Publish returns.
func (t *Topic) Publish(op Opcode, data []byte) { t.PublishExcept(nil, op, data) }

// PublishExcept is Publish to all members but one.
func (t *Topic) PublishExcept(except *Conn, op Opcode, data []byte) {
	var ed *edition
	var at time.Duration
	t.published.Add(1)
	for i := range t.parts {
		p, l := &t.parts[i], t.e.loops[i]
		p.mu.Lock()
		if len(p.seats) == p.gaps {
			p.mu.Unlock()
			continue
		}
		if ed == nil {
			ed, at = l.newEdition(t, op, data), t.e.sys.Since(t.e.start)
		}
		ed.refs.Add(1)
		p.pending = append(p.pending, cast{ed: ed, except: except, end: len(p.seats), at: at})
		begin := !p.casting
		p.casting = true
		p.mu.Unlock()
		if begin {
			l.post(order{kind: orderCast, part: p})
		}
	}
	if ed != nil {
		ed.release()
	}
}
