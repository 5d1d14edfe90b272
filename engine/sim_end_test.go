//go:build unix

package engine

// calm ends all trouble and lets everybody speak up: what was said must be heard.
func (w *world) calm() {
	w.log("calm")
	w.faults = false
	rounds := 12
	if w.e.budget.limit > 0 {
		rounds = 40 // who is held for the budget may be so for stuckAfter
	}
	for range rounds {
		for len(w.verdicts) > 0 {
			w.giveVerdict()
		}
		for _, p := range w.peers {
			if p.c != nil && p.opened {
				p.paused = false
				p.c.Resume()
				if p.writer != nil {
					p.endWriter()
				}
				if p.partial && p.c.ReadyState() == Open {
					p.sends() // what was published waits for the last fragment
				}
			}
		}
		w.settle()
		w.checkQuiet()
		w.clock += 2 * tick
	}
	if w.failure != "" {
		return
	}
	for _, p := range w.peers {
		w.checkHeard(p)
	}
	w.checkTopics()
	if n := len(w.listener.backlog); n > 0 {
		w.fail("%d connections were never accepted", n)
	}
}

// settle moves everything that is under way to where it goes.
func (w *world) settle() {
	for still := 0; still < 2 && w.failure == ""; still++ { // the first may pass on a FIN
		w.quiesce()
		moved := false
		for _, p := range w.peers {
			s := p.ep
			end := p.fin && !s.eof && s.err == nil
			moved = moved || len(p.flight) > 0 || len(s.out) > 0 || s.fd >= 0 && (s.lacked || end)
			s.size = 64 << 10
			p.arrive(len(p.flight))
			p.readAll()
		}
		if moved {
			still = -1
		}
	}
}

// checkHeard wants nothing to be on its way between two healthy ends.
func (w *world) checkHeard(p *simPeer) {
	if p.ended || p.c == nil || p.c.ReadyState() != Open || p.over || p.closed {
		return
	}
	if p.c.hold&holdMemory != 0 {
		return // its turn comes when others have given memory back, or are closed
	}
	want := p.missing()
	switch {
	case p.partial:
		w.fail("peer %d: the last fragment was never let in", p.id)
	case !p.opened:
		w.fail("peer %d: open and not told", p.id)
	case p.heard != len(p.said):
		w.fail("peer %d: said %d messages, %d were delivered", p.id, len(p.said), p.heard)
	case want != 0:
		w.fail("peer %d: %d messages sent to it did not come", p.id, want)
	case p.c.BufferedAmount() != 0:
		w.fail("peer %d: %d bytes are buffered, and it reads", p.id, p.c.BufferedAmount())
	case len(p.dones) != 0:
		w.fail("peer %d: all is sent, and Done of %v was not called", p.id, p.dones)
	case p.ponged != len(p.pings) && w.s.policy.slow == SlowClose:
		w.fail("peer %d: %d pings, %d pongs", p.id, len(p.pings), p.ponged)
	}
	for i := range p.tunes {
		spans := p.tunes[i].spans
		if n := len(spans); n > 0 && spans[n-1].to < 0 && spans[n-1].next != w.counts[i] && w.lastArrives(i) {
			w.fail("peer %d: topic %d has %d messages, its next is %d", p.id, i, w.counts[i], spans[n-1].next)
		}
	}
}

// end closes everything, one way or another, and looks for what is left.
func (w *world) end() {
	w.log("the end")
	gently := w.chance(2)
	w.e.drain()
	w.s.closing.Store(true)
	for _, p := range w.peers {
		if p.c == nil {
			continue
		}
		p.blame("shutdown", p.c.ReadyState() != Connecting)
		if gently {
			p.c.goAway()
		} else {
			p.cause("shutdown")
			p.c.Terminate()
		}
	}
	for range 60 {
		w.clock += tick
		for _, p := range w.peers {
			p.arrive(len(p.flight))
			if p.polite {
				p.readAll()
			}
		}
		w.quiesce()
		w.checkQuiet()
	}
	if w.failure == "" {
		w.checkLeft()
	}
}

func (w *world) checkLeft() {
	w.s.StopAccepting()
	for _, l := range w.e.loops {
		l.post(order{kind: orderStop})
	}
	w.quiesce()
	for fd, s := range w.k.sockets {
		if s != nil {
			w.fail("fd %d is left open", fd)
		}
	}
	select {
	case <-w.e.idle:
	default:
		w.fail("the engine does not know that it is idle: %d connections", w.e.conns.Load())
	}
	for _, p := range w.peers {
		if p.opened && !p.shut {
			w.fail("peer %d: Close was never called", p.id)
		}
	}
	if n := w.s.conns.Load(); n != 0 || len(w.s.remotes) != 0 {
		w.fail("the server counts %d connections, of %v", n, w.s.remotes)
	}
	if n := w.lent(); n != 0 {
		w.fail("%d slices are still lent", n)
	}
	w.checkCharges()
	for i, l := range w.e.loops {
		l.end()
		if at, ok := l.wheel.next(); ok {
			w.fail("loop %d: something is left in the wheel, at %d", i, at)
		}
	}
	if n := w.e.handshakes.Load(); n != 0 {
		w.fail("%d TLS handshakes are counted", n)
	}
}

// checkCharges wants all that was charged to the memory budget to be given back.
func (w *world) checkCharges() {
	n, held := int64(0), w.e.budget.paused.Load()
	for i, l := range w.e.loops {
		n += l.bytes.Lent()
		held -= int64(len(l.chokes.conns))
		for _, s := range append(w.queues[i].idle, l.scratch) {
			if s == nil {
				continue
			}
			for _, k := range s.out.chunks {
				n -= int64(cap(k.b))
			}
		}
	}
	if n != 0 || held != 0 {
		w.fail("%d bytes are charged to nobody, %d connections are counted as held", n, held)
	}
}

// lent is what the loops lend to other than workers, for their next turn's output.
func (w *world) lent() (n int) {
	for i, l := range w.e.loops {
		n += l.bytes.Outstanding()
		for _, s := range append(w.queues[i].idle, l.scratch) {
			if s == nil {
				continue
			}
			n -= len(s.out.chunks)
			if !s.dec.Idle() {
				w.fail("loop %d: a worker's decoder holds something", i)
			}
		}
	}
	return n
}
