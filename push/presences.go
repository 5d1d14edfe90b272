package push

import (
	"strings"
	"sync"
)

// presences are the presence channels of an app in which anybody is, on whatever
// server.
type presences struct {
	mu sync.Mutex
	m  map[string]*members
}

// hold returns the members of a channel, for whoever keeps a reference until
// release.
func (p *presences) hold(name string) *members {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.m[name]
	if m == nil {
		m = &members{name: strings.Clone(name), users: make(map[string]*member)}
		p.m[m.name] = m
	}
	m.refs++
	return m
}

func (p *presences) release(m *members) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.refs--; m.refs == 0 {
		delete(p.m, m.name)
	}
}

// find returns nil for a channel that nobody is in.
func (p *presences) find(name string) *members {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m[name]
}

// here returns this server's claims, by channel and user.
func (p *presences) here() map[string]map[string]*claim {
	p.mu.Lock()
	list := make([]*members, 0, len(p.m))
	for _, m := range p.m {
		list = append(list, m)
	}
	p.mu.Unlock()
	all := make(map[string]map[string]*claim, len(list))
	for _, m := range list {
		m.mu.Lock()
		claims := map[string]*claim{}
		for id, u := range m.users {
			if own := u.own(); own != nil {
				claims[id] = own
			}
		}
		m.mu.Unlock()
		all[m.name] = claims
	}
	return all
}
