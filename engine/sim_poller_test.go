//go:build unix

package engine

import (
	"syscall"
	"time"

	"github.com/roost-ws/roost/poller"
)

// simPoller reports edges as epoll does, or, where the seed says so, as kqueue: each
// filter apart. Events may come late, twice, in any order, or for nothing; but an edge
// is never lost while its descriptor is watched.
type simPoller struct {
	w       *world
	watched []*endpoint // in the order of their registration
	woken   bool
	closed  bool
}

const (
	readEdge  = poller.Readable
	writeEdge = poller.Writable
	allReady  = poller.Readable | poller.Writable | poller.Hangup
)

// watchSet is what a poller knows of a socket.
type watchSet struct {
	want poller.Ready
	edge poller.Ready
	due  time.Duration // not told before
}

// raise notes that a readiness began.
func (s *endpoint) raise(edge poller.Ready) {
	if s.on == nil {
		return
	}
	if s.watched.edge == 0 {
		s.watched.due = s.w.clock
		if s.w.chance(8) {
			s.watched.due += time.Duration(s.w.rng.IntN(300)) * time.Millisecond
		}
	}
	s.watched.edge |= edge
}

// level is what is ready now.
func (s *endpoint) level() (r poller.Ready) {
	switch {
	case s.listens:
		if len(s.backlog) > 0 {
			r = poller.Readable
		}
		return r
	case s.eof || s.err != nil || s.dead:
		return allReady
	}
	if len(s.in) > 0 {
		r |= poller.Readable
	}
	if len(s.out) < s.size {
		r |= poller.Writable
	}
	return r
}

func (p *simPoller) Update(fd int, from, to poller.Ready) error {
	s, err := p.w.k.get("update", fd)
	if err != nil {
		return err
	}
	if p.closed {
		p.w.fail("fd %d: update of a closed poller", fd)
	}
	known := poller.Ready(0)
	if s.on == p {
		known = s.watched.want
	} else if s.on != nil {
		p.w.fail("fd %d: update by a loop that is not its own", fd)
	}
	if known != from {
		p.w.fail("fd %d: update from %v, but %v is watched", fd, from, known)
	}
	if to != 0 && p.w.faults && s.peer != nil && s.peer.faulty && p.w.chance(30) {
		s.peer.cause("update failed")
		return syscall.ENOMEM
	}
	if to == 0 {
		p.forget(s)
		return nil
	}
	if s.on == nil {
		s.on, s.watched = p, watchSet{}
		p.watched = append(p.watched, s)
	}
	s.watched.want = to
	if s.level() != 0 {
		s.raise(to)
	}
	return nil
}

func (p *simPoller) forget(s *endpoint) {
	for i, x := range p.watched {
		if x == s {
			p.watched = append(p.watched[:i], p.watched[i+1:]...)
			break
		}
	}
	s.on, s.watched = nil, watchSet{}
}

// report is what an event of s would say now, and whether there is one.
func (s *endpoint) report() poller.Ready {
	if s.watched.edge == 0 || s.watched.due > s.w.clock {
		return 0
	}
	r := s.level()
	if r&poller.Hangup != 0 {
		return allReady
	}
	r &= s.watched.want
	if s.w.kqueue {
		r &= s.watched.edge
	}
	return r
}

// pending reports whether a sleeping Wait would return.
func (p *simPoller) pending() bool {
	if p.woken {
		return true
	}
	for _, s := range p.watched {
		if s.report() != 0 {
			return true
		}
	}
	return false
}

// hurry ends all delays.
func (p *simPoller) hurry() {
	for _, s := range p.watched {
		s.watched.due = 0
	}
}

// Wait never sleeps: the world calls it when it would not have to.
func (p *simPoller) Wait(events []poller.Event, _ time.Time) (int, error) { return p.Poll(events) }

func (p *simPoller) Poll(events []poller.Event) (int, error) {
	if p.closed {
		return 0, poller.ErrClosed
	}
	p.woken = false
	var got []poller.Event
	for _, s := range p.watched {
		if len(got) == len(events) {
			break
		}
		r := s.report()
		if r == 0 {
			if s.watched.due <= p.w.clock {
				s.watched.edge = 0 // it was over before anybody looked
			}
			continue
		}
		got = append(got, poller.Event{FD: int32(s.fd), Ready: r})
		if !p.w.chance(10) { // else it comes twice
			s.watched.edge = 0
		}
	}
	for p.w.faults && len(got) < len(events) && p.w.chance(6) {
		r := pick(p.w, []poller.Ready{poller.Readable, poller.Writable, poller.Readable | poller.Writable, allReady})
		got = append(got, poller.Event{FD: int32(p.w.rng.IntN(len(p.w.k.sockets) + 2)), Ready: r})
	}
	p.w.rng.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	n := copy(events, got)
	// What happens until the loop looks at the events makes them stale.
	p.w.meddle("wait")
	return n, nil
}

func (p *simPoller) Wake() error {
	p.woken = true
	return nil
}

func (p *simPoller) Close() error {
	p.closed = true
	return nil
}
