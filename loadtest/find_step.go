package loadtest

import (
	"fmt"
	"time"
)

func (e *Echo) step(stamp *stamp) measureStep {
	return func(s *search, load float64, r *Report) string {
		e := *e
		e.Rate = load
		inner := make([]*echo, len(s.players))
		s.d.each(func(l *loop) {
			inner[l.index] = newEcho(l, &e, stamps{l, stamp})
			inner[l.index].first = s.first
			s.players[l.index].inner = inner[l.index]
		})
		got := e.measure(s.d, inner)
		most := uint32(0)
		s.d.each(func(l *loop) {
			for i := range inner[l.index].state {
				most = max(most, inner[l.index].state[i].sent)
			}
		})
		s.first += most
		r.Echo = got
		r.Connections.Wanted = s.d.o.Conns
		return s.short(got.PerSecond, load)
	}
}

// short says that a rate was not reached; "" if it was.
func (s *search) short(got, load float64) string {
	if got >= (1-s.f.Precision)*load {
		return ""
	}
	return fmt.Sprintf("only %s a second came", rate(got))
}

func (b *Broadcast) step(stamp *stamp) measureStep {
	return func(s *search, load float64, r *Report) string {
		b := *b
		b.Rate = load
		r.Broadcast = new(BroadcastReport)
		if err := b.normalize(); err != nil {
			return err.Error()
		}
		inner := make([]*broadcast, len(s.players))
		s.d.each(func(l *loop) {
			inner[l.index] = &broadcast{loop: l, cast: stamps{l, stamp}, state: make([]receiver, len(l.conns)), to: never, first: s.first}
			s.players[l.index].inner = inner[l.index]
		})
		r.Broadcast = b.measure(s.d, inner)
		s.first += inner[0].sent
		r.Connections.Wanted = s.d.o.Conns
		return s.short(float64(r.Broadcast.Messages)/r.Broadcast.Measured.Seconds(), load)
	}
}

// idleStep opens or ends connections until so many stand, and holds them.
func (*Find) idleStep(s *search, load float64, r *Report) string {
	n := int(load)
	opened := 0
	s.d.each(func(l *loop) {
		l.handshakes = newLatency()
		opened -= l.opened
		s.players[l.index].standAt(n)
	})
	mark, begun := s.d.cpuMark(), time.Now()
	for s.d.wait("connect", closePoll, nil) {
		left := 0
		s.d.each(func(l *loop) { left += l.underWay() })
		s.d.o.Progress(s.d.progress("connect", time.Since(begun), 0))
		if left == 0 {
			break
		}
	}
	took := time.Since(begun)
	s.opening += took
	c := &r.Connections
	c.Took = took
	_, client, _ := s.d.cpuSince(mark, s.d.cpuMark(), took, 0)
	s.cores = client.Cores
	all := newLatency()
	s.d.each(func(l *loop) {
		opened += l.opened
		all.merge(l.handshakes)
		l.settledAt = l.clock() // from here on the lag counts
	})
	s.shakes.merge(all)
	snap := s.d.memory()
	s.d.wait("hold", s.f.Duration, nil)
	r.Idle = &IdleReport{Held: s.f.Duration}
	s.d.each(func(l *loop) { r.Idle.Standing += l.open })
	r.Idle.Memory = newMemory(s.before, snap, s.d.memory(), n, r.Idle.Standing)
	c.Wanted, c.Opened, c.Handshake = n, opened, all.summary()
	c.PerSecond = float64(opened) / max(took.Seconds(), 1e-9)
	if r.Idle.Standing < n {
		return fmt.Sprintf("only %s stood", count(r.Idle.Standing))
	}
	return ""
}
