package push

import "time"

// replacing adds to all that p has what it has no more.
func (f *fleet) replacing(p *peer, all changes) changes {
	for a, counts := range p.counts {
		now := all.app(a.ID)
		for name := range counts {
			if _, ok := now.Counts[name]; !ok {
				now.Counts[name] = 0
			}
		}
	}
	for a, channels := range p.members {
		now := all.app(a.ID)
		for name, there := range channels {
			for id := range there.ids {
				if now.Members[name][id] == nil {
					now.member(name, id, nil)
				}
			}
		}
	}
	for a, users := range p.users {
		now := all.app(a.ID)
		for id := range users {
			if !now.Users[id] {
				now.Users[id] = false
			}
		}
	}
	return all
}

// apply makes changes of p known here: a channel is occupied before anybody is in
// it, and vacated when all have left.
func (f *fleet) apply(p *peer, c changes) {
	for id, has := range c {
		a := f.s.tenants().byID[id]
		if a == nil {
			continue // not an app of this server
		}
		f.applyCounts(p, a, has.Counts, true)
		for name, users := range has.Members {
			f.applyMembers(p, a, name, users)
		}
		f.applyCounts(p, a, has.Counts, false)
		f.applyUsers(p, a, has.Users)
	}
}

// applyCounts takes the counts that are above 0, or those that are not.
func (f *fleet) applyCounts(p *peer, a *app, counts map[string]int, above bool) {
	if len(counts) == 0 {
		return
	}
	f.mu.Lock()
	m := p.counts[a]
	if m == nil {
		m = map[string]int{}
		p.counts[a] = m
	}
	for name, n := range counts {
		switch {
		case n > 0 && above:
			m[name] = n
		case n == 0 && !above:
			delete(m, name)
		}
	}
	f.mu.Unlock()
	for name, n := range counts {
		if n > 0 != above {
			continue
		}
		a.occupancy.look(a, name, false)
		f.showLater(a, name)
	}
}

func (f *fleet) applyMembers(p *peer, a *app, channel string, users map[string]*claim) {
	channels := p.members[a]
	if channels == nil {
		channels = map[string]*theirs{}
		p.members[a] = channels
	}
	there := channels[channel]
	if there == nil {
		there = &theirs{a.presences.hold(channel), map[string]struct{}{}}
		channels[there.m.name] = there
	}
	for id, cl := range users {
		if cl != nil {
			there.ids[id] = struct{}{}
		} else {
			delete(there.ids, id)
		}
		there.m.told(a, p.id, id, cl)
	}
	if len(there.ids) == 0 {
		delete(channels, channel)
		a.presences.release(there.m)
	}
}

func (f *fleet) applyUsers(p *peer, a *app, users map[string]bool) {
	m := p.users[a]
	if m == nil && len(users) > 0 {
		m = map[string]struct{}{}
		p.users[a] = m
	}
	for id, in := range users {
		if _, was := m[id]; was == in {
			continue
		}
		if in {
			m[id] = struct{}{}
		} else {
			delete(m, id)
		}
		a.users.told(id, in)
	}
}

// drop gives up a server and all that was its own. unsent is since when it may not
// have sent its webhooks.
func (f *fleet) drop(p *peer, unsent time.Duration) {
	f.mu.Lock()
	delete(f.peers, p.id)
	left := len(f.peers)
	f.mu.Unlock()
	f.peered.Store(left > 0)
	f.elect()
	f.s.inherit(p.id, unsent)
	f.apply(p, f.replacing(p, changes{}))
}

// appsChanged forgets what is known of apps that are gone, and asks for what was
// not kept of those that have come. The others do so too, as a number is missing.
func (f *fleet) appsChanged(gone, come []*app) {
	if len(gone)+len(come) == 0 {
		return
	}
	f.in.Lock()
	defer f.in.Unlock()
	for _, p := range f.list() {
		f.mu.Lock()
		for _, a := range gone {
			delete(p.counts, a)
		}
		f.mu.Unlock()
		for _, a := range gone {
			delete(p.members, a)
			delete(p.users, a)
		}
		f.ask(p)
	}
	f.missed.Store(true)
}
