//go:build unix

package engine

import (
	"errors"
	"fmt"
	"time"
)

// slack is what a time limit may be early in a world whose loops look at the clock only
// when they run.
const slack = 400 * time.Millisecond

// call is one call of a user, from a callback of p's or, outside, from elsewhere.
func (w *world) call(p *simPeer, outside bool) {
	if p == nil || !p.opened {
		return
	}
	if w.chance(6) {
		if p = w.anyPeer(); !p.opened {
			return
		}
		outside = true
	}
	c := p.c
	switch n := w.rng.IntN(100); {
	case n < 35:
		p.sends()
		if w.loud && w.chance(4) {
			p.joins(w.rng.IntN(2))
		}
	case n < 40:
		p.writes()
	case n < 52:
		w.log("peer %d: Pause", p.id)
		c.Pause()
		// During a turn, a pause from elsewhere may come too late for what is read.
		if c.IsPaused() && (!outside || w.depth == 0) {
			p.paused = true
		}
	case n < 70:
		w.log("peer %d: Resume", p.id)
		p.paused = false
		c.Resume()
	case n < 76:
		p.refused(c.Ping([]byte("server")), 6)
	case n < 80:
		p.refused(c.Pong([]byte("unasked")), 7)
	case n < 84:
		c.Flush()
	case n < 90:
		p.joins(w.rng.IntN(2))
	case n < 94:
		p.quits(w.rng.IntN(2))
	case n == 94 && w.chance(2):
		p.local("Close", true)
		if err := c.Close(CodeNormal, "bye"); err != nil {
			w.fail("peer %d: Close: %v", p.id, err)
		}
	case n == 95 && w.chance(3):
		p.local("Terminate", false)
		c.Terminate()
	default:
		if c.BufferedAmount() < 0 || c.Data() != p || c.RemoteAddr() == nil && c.fd >= 0 {
			w.fail("peer %d: %d bytes buffered", p.id, c.BufferedAmount())
		}
	}
}

// local notes that our side ends the connection.
func (p *simPeer) local(what string, soft bool) {
	if p.c.ReadyState() == Open || !soft {
		p.blame(what, soft)
	}
}

// sends sends a message, or a part of one, in one of the ways there are.
func (p *simPeer) sends() {
	w, c := p.w, p.c
	size := w.rng.IntN(pick(w, []int{20, 300, 6000, 20_000, 80_000}))
	if !w.faults {
		size = 0 // it is to end a message, not to be refused
		if p.partial && c.out == nil {
			size = 1500
		}
	}
	m := said{
		data:   w.text(fmt.Sprintf("s%d/%d/", p.id, p.serial), size),
		binary: w.chance(2),
		before: w.counts,
	}
	p.serial++
	op := Text
	if m.binary {
		op = Binary
	}
	var o SendOptions
	o.More = w.faults && w.chance(12)
	if w.chance(5) {
		o.Done = p.ticket()
	}
	var err error
	before, begun := c.BufferedAmount(), p.partial
	own := 0 // what its last fragment has to wait behind
	if c.out != nil {
		own = c.out.size
	}
	if p.writer != nil {
		begun, own = p.writer.partial, before
	}
	if o.More || o.Done != nil {
		err = c.SendWith(op, []byte(m.data), o)
	} else {
		err = c.Send(op, []byte(m.data))
	}
	w.log("peer %d: Send of %d bytes, %d buffered: %v", p.id, len(m.data), before, err)
	if p.refused(err, len(m.data)) {
		if o.Done != nil {
			p.dones = p.dones[:len(p.dones)-1]
		}
		var full *OutboxError
		if begun && errors.As(err, &full) && full.Queued > own {
			w.fail("peer %d: what waits for the last fragment refuses it: %v", p.id, err)
		}
		p.unfinished(begun, err)
		return
	}
	p.fragmented = p.fragmented || o.More
	if wr := p.writer; wr != nil {
		if last := len(wr.behind) - 1; wr.partial {
			wr.behind[last].data += m.data
		} else {
			wr.behind = append(wr.behind, m)
		}
		wr.partial = o.More
		return
	}
	if p.partial {
		first := p.want[len(p.want)-1]
		m.data, m.binary, m.before = string(p.parts)+m.data, first.binary, first.before
		p.want = p.want[:len(p.want)-1]
	}
	p.partial, p.parts = o.More, nil
	if o.More {
		p.parts = []byte(m.data)
	}
	p.want = append(p.want, m)
}

// refused reports whether a send failed, which it may only for a reason.
func (p *simPeer) refused(err error, size int) bool {
	var full *OutboxError
	switch {
	case err == nil:
		return false
	case errors.Is(err, ErrNotOpen):
		if p.c.ReadyState() == Open {
			p.w.fail("peer %d: %v", p.id, err)
		}
	case errors.Is(err, ErrMemory):
		if p.w.e.cfg.MemoryBudget == 0 || !p.full {
			p.w.fail("peer %d: send: %v", p.id, err)
		}
	case errors.As(err, &full):
		if full.Queued+full.Size <= full.Limit || full.Size != size && !p.c.is(flagDeflate) {
			p.w.fail("peer %d: %v", p.id, err)
		}
		if p.w.s.policy.slow == SlowClose {
			p.cause("outbox full")
		}
	default:
		p.w.fail("peer %d: send: %v", p.id, err)
	}
	return true
}

// ticket makes a Done that checks that it is called in its turn, and once.
func (p *simPeer) ticket() func(error) {
	id := p.tickets
	p.tickets++
	p.dones = append(p.dones, id)
	return func(err error) {
		defer p.enter("Done")()
		if len(p.dones) == 0 || p.dones[0] != id {
			p.w.fail("peer %d: Done of %d, want of %v", p.id, id, p.dones)
			return
		}
		p.dones = p.dones[1:]
		if err != nil && !errors.Is(err, ErrUnsent) {
			p.w.fail("peer %d: Done with %v", p.id, err)
		}
		p.behave()
	}
}

func (p *simPeer) joins(i int) {
	t := &p.tunes[i]
	member := len(t.spans) > 0 && t.spans[len(t.spans)-1].to < 0
	if p.w.topics[i].Subscribe(p.c) {
		p.w.log("peer %d: member of topic %d from %d", p.id, i, p.w.counts[i])
		if member {
			p.w.fail("peer %d: member twice", p.id)
		}
		t.spans = append(t.spans, membership{p.w.counts[i], -1, p.w.counts[i]})
	} else if !member && p.c.ReadyState() == Open {
		p.w.fail("peer %d: cannot become a member", p.id)
	}
}

func (p *simPeer) quits(i int) {
	t := &p.tunes[i]
	if p.w.topics[i].Unsubscribe(p.c) {
		p.w.log("peer %d: no member of topic %d from %d", p.id, i, p.w.counts[i])
		if len(t.spans) == 0 || t.spans[len(t.spans)-1].to >= 0 {
			p.w.fail("peer %d: was no member", p.id)
			return
		}
		t.spans[len(t.spans)-1].to = p.w.counts[i]
	}
}

// publish publishes a message to some topic, or several that its members' loops find
// together.
func (w *world) publish() {
	i, n := w.rng.IntN(2), 1
	if w.chance(3) {
		n += w.rng.IntN(5)
	}
	for range n {
		w.publishTo(i)
	}
}

func (w *world) publishTo(i int) {
	data := []byte(published(i, w.counts[i]))
	w.log("publish %d to topic %d", w.counts[i], i)
	w.counts[i]++
	w.topics[i].Publish(Text, data)
	clear(data)
}
