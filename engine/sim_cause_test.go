//go:build unix

package engine

import "time"

// closed is told of the end of a descriptor: it needs a cause.
func (w *world) closed(s *endpoint) {
	p := s.peer
	if p.opened && !p.shut {
		w.fail("peer %d: descriptor closed before Close was called", p.id)
	}
	switch {
	case len(p.causes) > 0:
		w.inOrder(p)
		return
	case p.c == nil && (w.e.cfg.MaxConns > 0 || w.s.opts.MaxConnsPerIP > 0 || w.s.listeners[0].gate.interval > 0):
		p.cause("turned away")
		return
	}
	p.outOfTime()
}

// outOfTime wants a connection that ends for no other reason to be over a time limit.
func (p *simPeer) outOfTime() {
	if quiet, late := p.silent(); !late {
		p.w.fail("peer %d: ended for no reason, %v after it was heard", p.id, quiet)
	}
	p.blame("time limit", p.opened && p.w.s.opts.PingInterval == 0)
}

// silent is how long the engine has heard nothing of p, and whether that is too long.
func (p *simPeer) silent() (quiet time.Duration, late bool) {
	quiet, o := p.w.clock-p.born, &p.w.s.opts
	limit := o.HandshakeTimeout
	if p.opened {
		quiet = min(quiet, p.w.clock-p.ep.read)
		limit = o.IdleTimeout
		if limit == 0 {
			limit = 2 * o.PingInterval
		}
	}
	return quiet, limit != 0 && quiet >= limit-slack
}

// notice looks whether the engine has begun to close by itself. Where there is an
// error, errs will judge it.
func (p *simPeer) notice() {
	if p.opened && (p.c.ext == nil || p.c.ext.err == nil) && p.c.ReadyState() == Closing && len(p.causes) == 0 {
		p.outOfTime()
	}
}

// inOrder wants a closing handshake that began to be given its time.
func (w *world) inOrder(p *simPeer) {
	for _, c := range p.causes {
		if !c.soft {
			return
		}
	}
	// What p does to end it may still be on its way when its time is over.
	if _, late := p.silent(); !late && p.opened && p.c.is(flagKilled) && w.clock-p.causes[0].at < w.s.opts.CloseTimeout-slack {
		w.fail("peer %d: killed %v after closing began", p.id, w.clock-p.causes[0].at)
	}
}
