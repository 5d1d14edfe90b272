//go:build unix

package engine

import (
	"errors"

	"github.com/roost-ws/roost/codec"
)

// The codes with which the simulated server closes whom it gives up.
const (
	simSlowCode   CloseCode = 4151
	simBehindCode CloseCode = 4150
)

// newTopic makes a topic with some policy.
func (w *world) newTopic() *Topic {
	o := TopicOptions{
		Slow:      pick(w, []MemberPolicy{ByConn, ByConn, Disconnect, DropOldest, DropNewest, Conflate}),
		MaxBehind: pick(w, []int{0, 1, 3000, 9000}),
	}
	if w.loud && w.chance(2) {
		o.Slow = Conflate
	}
	if o.Slow == Disconnect {
		o.Code = simBehindCode
	}
	t, err := NewTopicWith(w.e, o)
	if err != nil {
		panic(err)
	}
	return t
}

// drops reports whether a member of topic i may miss a message.
func (w *world) drops(i int) bool {
	switch w.topics[i].opts.Slow {
	case DropOldest, DropNewest, Conflate:
		return true
	case ByConn:
		return w.s.policy.slow == SlowDrop
	}
	return false
}

// lastArrives reports whether each member of topic i that stays gets its last message.
func (w *world) lastArrives(i int) bool {
	switch w.topics[i].opts.Slow {
	case ByConn, Conflate:
		return w.s.policy.slow == SlowClose
	case Disconnect:
		return true
	}
	return false
}

// fellBehind judges why a topic gave a member up.
func (p *simPeer) fellBehind(e *BehindError) {
	if e.Waiting+e.Size <= e.Limit && e.Queued+e.Size <= e.Limit || !p.full && !p.fragmented {
		p.w.fail("peer %d: %v", p.id, e)
	}
	p.cause("behind")
}

// hungUpOn reports whether payload, of a close frame, says that the rest was dropped.
func (p *simPeer) hungUpOn(payload []byte) bool {
	code, _, err := codec.ParseClose(payload, false)
	if err != nil {
		p.w.fail("peer %d: close %q: %v", p.id, payload, err)
	}
	return code == simSlowCode && (p.w.s.policy.slow == SlowClose || p.has("half a message")) || code == simBehindCode || p.droppedForMemory()
}

// checkBehind wants no more to wait of a topic than its policy allows, and the counts
// of what waits to be right.
func (w *world) checkBehind(c *Conn) {
	frames, bytes := map[*Topic]int{}, map[*Topic]int{}
	for i := c.out.head; i < len(c.out.chunks); i++ {
		if f := c.out.chunks[i].frame; f != nil {
			frames[f.topic]++
			bytes[f.topic] += len(f.b)
		}
	}
	for _, t := range w.topics {
		at := c.out.lagOf(t)
		switch {
		case !c.out.tracked || t.opts.Slow == ByConn:
		case at < 0 && frames[t] > 0, at >= 0 && (c.out.lags[at].frames != frames[t] || c.out.lags[at].bytes != bytes[t]):
			w.fail("fd %d: %d frames and %d bytes of a topic are queued, and the counts are %+v", c.fd, frames[t], bytes[t], c.out.lags)
		}
		if t.opts.Slow == ByConn {
			continue
		}
		b := c.behind(t)
		var gaveUp *BehindError
		if c.ext != nil && errors.As(c.ext.err, &gaveUp) && b.frames > 0 {
			w.fail("fd %d: given up, and %d frames are before the close frame", c.fd, b.frames)
		}
		// Where nothing can go out any more, what waits goes with the connection.
		if b.frames > 1 && !c.is(flagBroken|flagKilled) && (t.opts.Slow == Conflate || b.bytes > t.opts.MaxBehind) {
			w.fail("fd %d: %d frames and %d bytes of a topic wait, limit %d", c.fd, b.frames, b.bytes, t.opts.MaxBehind)
		}
	}
}

// checkTopics wants the counts of topics to add up when all is quiet.
func (w *world) checkTopics() {
	for i, t := range w.topics {
		s, whole := t.Stats(), true
		for _, p := range w.peers {
			if len(p.tunes[i].spans) > 0 && (p.ended || p.lost || p.c.ReadyState() != Open || p.partial) {
				whole = false
			}
		}
		switch {
		case int(s.Published) != w.counts[i]:
			w.fail("topic %d: %d published, and it counts %+v", i, w.counts[i], s)
		case w.got[i] > int(s.Delivered), whole && w.got[i] != int(s.Delivered):
			w.fail("topic %d: %d messages arrived, and it counts %+v", i, w.got[i], s)
		}
	}
	if st := w.e.Stats(); st.Delivery.Count() > uint64(len(w.e.loops)*(w.counts[0]+w.counts[1])) {
		w.fail("%d casts were timed, and %v messages published", st.Delivery.Count(), w.counts)
	}
}

// unloaded judges why the memory budget gave a peer up.
func (p *simPeer) unloaded(err error) {
	var e *BudgetError
	if !errors.As(err, &e) || e.Limit != p.w.e.cfg.MemoryBudget || e.Limit == 0 || e.Used < e.Limit/16*12 {
		p.w.fail("peer %d: %v", p.id, err)
	}
	p.cause("memory")
}

// droppedForMemory reports whether the budget gave p up.
func (p *simPeer) droppedForMemory() bool {
	return p.c != nil && p.c.ext != nil && errors.Is(p.c.ext.err, ErrMemory)
}
