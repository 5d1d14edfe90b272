package push

import (
	"maps"
	"time"
)

// peer is another server of the fleet. Changes of it are under fleet.in; node,
// seen and counts also under fleet.mu, as others read them.
type peer struct {
	id     string
	node   Node
	seen   time.Time
	counts map[*app]map[string]int

	seq     uint64   // all of its changes up to it are in
	known   bool     // all of it was had once
	sync    *catchUp // it was asked for all; nil when nothing is missing
	members map[*app]map[string]*theirs
	users   map[*app]map[string]struct{}
}

// theirs are the members that a server has in one channel.
type theirs struct {
	m   *members
	ids map[string]struct{}
}

// catchUp gathers all of a server, and the changes told meanwhile, which come after.
type catchUp struct {
	asked    time.Time // or the last piece came
	next     int       // piece expected
	seq      uint64    // that the pieces are of
	has      changes
	deferred []*note
}

// take is what the bus calls with each note, one at a time.
func (f *fleet) take(text []byte) {
	n, err := decodeNote(text)
	now := time.Now()
	f.in.Lock()
	defer f.in.Unlock()
	if err != nil {
		f.s.counts.unreadNotes.Add(1)
		if now.Sub(f.refused) > time.Minute {
			f.refused = now
			f.s.opts.Logger.Warn("what another server told could not be read: do all run the same version?", "err", err)
		}
		return
	}
	if n.From == f.id {
		f.heard = now
		return
	}
	p := f.peers[n.From]
	switch {
	case n.Bye:
		if p != nil {
			f.drop(p, min(time.Duration(n.Unsent)*time.Millisecond, f.memory()))
		}
		return
	case p == nil:
		if p = f.meet(n, now); p == nil {
			return
		}
	}
	f.seen(p, now)
	switch {
	case n.Beat != nil:
		f.beatFrom(p, n)
	case n.Change != nil:
		f.changed(p, n)
	case n.Ask:
		f.later(func(t *todo) { t.asks[p.id] = struct{}{} })
	case n.All != nil:
		f.gather(p, n, now)
	}
}

// meet notes a server that wasn't known, and tells it of this one.
func (f *fleet) meet(n *note, now time.Time) *peer {
	if len(f.peers) >= maxPeers {
		return nil
	}
	p := &peer{
		id: n.From, node: Node{ID: n.From}, seen: now, counts: map[*app]map[string]int{},
		members: map[*app]map[string]*theirs{}, users: map[*app]map[string]struct{}{},
	}
	f.mu.Lock()
	f.peers[p.id] = p
	f.mu.Unlock()
	f.peered.Store(true)
	f.ask(p)
	return p
}

func (f *fleet) beatFrom(p *peer, n *note) {
	f.mu.Lock()
	was := p.node.Owner
	p.node = *n.Beat
	p.node.ID, p.node.Self = p.id, false
	f.mu.Unlock()
	if was != n.Beat.Owner {
		f.elect()
	}
	if p.sync == nil && n.Seq != p.seq {
		f.ask(p)
	}
}

// changed takes the next change, or asks for all when one is missing.
func (f *fleet) changed(p *peer, n *note) {
	switch {
	case p.sync != nil:
		if p.sync.deferred = append(p.sync.deferred, n); len(p.sync.deferred) > maxDeferred {
			f.ask(p)
		}
	case n.Seq == p.seq+1:
		p.seq = n.Seq
		f.apply(p, *n.Change)
	case n.Seq > p.seq:
		f.ask(p)
		p.sync.deferred = append(p.sync.deferred, n)
	}
}

func (f *fleet) ask(p *peer) {
	p.sync = &catchUp{asked: time.Now(), has: changes{}}
	f.tell(p.id, &note{Ask: true})
}

// gather takes a piece of all that p has. With the last one p's state is
// replaced, so that nobody sees it half.
func (f *fleet) gather(p *peer, n *note, now time.Time) {
	s := p.sync
	if s == nil {
		return // it answers twice
	}
	if n.All.Index == 0 {
		s.next, s.seq, s.has = 0, n.Seq, changes{}
	}
	if n.All.Index != s.next || n.Seq != s.seq {
		return // one is missing: sweep asks again
	}
	s.next, s.asked = s.next+1, now
	s.has.add(n.All.Has)
	if !n.All.Last {
		return
	}
	for _, d := range s.deferred {
		if d.Seq > s.seq+1 {
			f.ask(p)
			return
		}
		if d.Seq == s.seq+1 {
			s.seq = d.Seq
			s.has.add(*d.Change)
		}
	}
	p.seq, p.sync = s.seq, nil
	f.apply(p, f.replacing(p, s.has))
	if !p.known {
		p.known = true
		f.elect()
	}
}

// add puts later changes over earlier ones.
func (c changes) add(later changes) {
	for id, l := range later {
		a := c.app(id)
		maps.Copy(a.Counts, l.Counts)
		maps.Copy(a.Users, l.Users)
		for channel, users := range l.Members {
			for user, cl := range users {
				a.member(channel, user, cl)
			}
		}
	}
}
