package engine

import (
	"syscall"
	"time"
)

// cast is one published message on its way to the members of a part.
type cast struct {
	ed     *edition
	except *Conn
	end    int           // of the seats at that time: who came later gets only what followed
	at     time.Duration // since the engine's start
}

// pass is a part being served: the casts that were pending when it began, to the
// members there were then. Loop only.
type pass struct {
	part  *part
	casts []cast
	at    int // the next member
	end   int // those that came since get the next pass

	served uint64 // messages to members
}

// castSlice is the most members served before the loop looks for events again:
// at about 6 µs each, 1.5 ms.
const castSlice = 256

// cast serves the next slice of the part whose turn it is.
func (l *loop) cast() {
	if len(l.passes) == 0 {
		return
	}
	l.casting %= len(l.passes)
	ps := l.passes[l.casting]
	if ps.casts == nil && !ps.begin() {
		l.retire(l.casting)
		return
	}
	seats := ps.slice(l.members[:0])
	l.members = seats
	for _, s := range seats {
		ps.served += l.serve(s.conn, ps.casts[unmeant(ps.casts, s):])
	}
	clear(seats)
	if ps.at == ps.end {
		l.timed(ps.casts)
		ps.finish()
	}
	l.casting++ // the next part's turn: one large topic does not hold up the small ones
}

// maxIdlePasses keeps a burst's memory from staying.
const maxIdlePasses = 64

// newPass begins the casting of p.
func (l *loop) newPass(p *part) {
	if last := len(l.idle) - 1; last >= 0 {
		ps := l.idle[last]
		l.idle = l.idle[:last]
		ps.part = p
		l.passes = append(l.passes, ps)
		return
	}
	l.passes = append(l.passes, &pass{part: p})
}

// retire ends the pass at i, whose place the last one takes.
func (l *loop) retire(i int) {
	last := len(l.passes) - 1
	ps := l.passes[i]
	l.passes[i], l.passes[last] = l.passes[last], nil
	l.passes = l.passes[:last]
	if len(l.idle) < maxIdlePasses {
		*ps = pass{}
		l.idle = append(l.idle, ps)
	}
}

// unmeant counts the first casts, published before s was taken. Nobody moves while
// a part is casting, so s.at stays.
func unmeant(casts []cast, s *seat) (n int) {
	for n < len(casts) && casts[n].end <= s.at {
		n++
	}
	return n
}

// begin takes what is pending. It reports false, and ends the casting, when
// nothing is.
func (ps *pass) begin() bool {
	p := ps.part
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gaps > 0 {
		p.close()
	}
	if len(p.pending) == 0 {
		p.casting = false
		return false
	}
	ps.casts, p.pending = p.pending, p.spare
	ps.at, ps.end = 0, len(p.seats)
	return true
}

// slice returns the next few seats.
func (ps *pass) slice(into []*seat) []*seat {
	p := ps.part
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; ps.at < ps.end && len(into) < castSlice; ps.at++ {
		if s := p.seats[ps.at]; s != nil {
			into = append(into, s)
		}
	}
	return into
}

// finish gives the frames back.
func (ps *pass) finish() {
	for i := range ps.casts {
		ps.casts[i].ed.release()
	}
	clear(ps.casts)
	ps.part.mu.Lock()
	defer ps.part.mu.Unlock()
	ps.part.spare, ps.casts = ps.casts[:0], nil
	ps.part.served += ps.served
	ps.served = 0
}

// serve sends casts to one member, in one write where the kernel has room. It returns
// how many of them were meant for it.
func (l *loop) serve(c *Conn, casts []cast) (served uint64) {
	if c.is(flagDeflate) {
		z := c.ext.deflate
		z.mu.Lock()
		defer z.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ReadyState() != Open || len(casts) == 0 {
		return 0
	}
	if len(casts) == 1 && c.out == nil && !c.policy.mask && !c.is(flagTLS|flagFragment|flagWriter) {
		if k := &casts[0]; k.except != c {
			c.writeFrame(k.ed.form(c))
			served++
		}
		return served
	}
	for i := range casts {
		k := &casts[i]
		if k.except == c {
			continue
		}
		if !c.cast(k.ed) {
			break
		}
		served++
	}
	if c.out != nil {
		if !c.is(flagBlocked) {
			c.flush() // in a turn too: it may be that of a handler that takes its time
			c.keepLast(casts[0].ed.plain.topic)
		}
		c.queued()
	}
	return served
}

// cast delivers one message in the form that c needs. It reports false when the
// connection ended of it. Under mu.
func (c *Conn) cast(ed *edition) bool {
	if !c.policy.mask {
		return c.deliver(ed.form(c))
	}
	f := ed.masked()
	defer f.release()
	return c.deliver(f)
}

// sending counts f, which goes out or is queued to. Under mu.
func (c *Conn) sending(f *frame) {
	c.forget(f)
	c.loop.stats.sent(1, len(f.b))
}

// writeFrame writes a shared frame with nothing queued before it. Under mu.
func (c *Conn) writeFrame(f *frame) {
	c.sending(f)
	n, err := c.loop.sys.Write(int(c.fd), f.b)
	switch {
	case n == len(f.b):
		return
	case err != nil && err != syscall.EAGAIN:
		c.broken()
		return
	}
	c.outbox().share(f, n, &c.loop.bytes)
	c.blocked()
	c.highWater()
}

// forget empties the window of a connection that is sent a message compressed
// without it. The peer's window has that message now; ours is what follows it.
func (c *Conn) forget(f *frame) {
	if c.is(flagDeflate) && c.ext.deflate.send != nil && f.b[0]&(rsv1<<4) != 0 {
		c.ext.deflate.send.Reset()
		c.ext.deflate.account(&c.loop.bytes, &c.ext.deflate.sent, nil)
	}
}
