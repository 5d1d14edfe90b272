//go:build unix

package engine

import (
	"context"
	"log/slog"

	"github.com/roost-ws/roost/poller"
)

// check wants, between any two things that happen, what must always hold.
func (w *world) check() {
	if w.failure != "" {
		return
	}
	if n := w.e.panics.Load(); n > w.panics {
		w.fail("%d panics were contained, %d were made", n, w.panics)
	}
	queued := make(map[*Conn]int)
	for i, l := range w.e.loops {
		for _, c := range l.batch {
			queued[c]++
		}
		for _, o := range l.mail.orders {
			if o.kind == orderRun {
				queued[o.conn]++
			}
		}
		for _, c := range w.queues[i].waiting {
			queued[c]++
		}
	}
	for fd, s := range w.k.sockets {
		c := w.e.table.get(int32(fd))
		if s == nil || s.listens {
			if c != nil {
				w.fail("fd %d: not open, and in the table (R5)", fd)
			}
			continue
		}
		if c == nil {
			w.fail("fd %d is open, and no connection has it", fd)
			return
		}
		if s.peer.c == nil {
			s.peer.c = c
		}
		w.checkConn(s, c, queued[c])
	}
}

// checkConn runs between turns.
func (w *world) checkConn(s *endpoint, c *Conn, queued int) {
	if s.peer.c != c || int(c.fd) != s.fd {
		w.fail("peer %d: fd %d has another's connection", s.peer.id, s.fd)
	}
	if n := int(c.work.Load() / held); n != queued {
		w.fail("fd %d: held is %d, and it is queued %d times", c.fd, n, queued)
	}
	armed := poller.Ready(0)
	if s.on != nil {
		armed = s.watched.want
	}
	if c.armed != armed {
		w.fail("fd %d: armed is %v, and %v is watched", c.fd, c.armed, armed)
	}
	if c.is(flagCorked) {
		w.fail("fd %d: corked outside of a turn", c.fd)
	}
	if c.is(flagHeld) != (c.hold != 0) {
		w.fail("fd %d: held for %b, and the flag says %v", c.fd, c.hold, c.is(flagHeld))
	}
	seen := c.seen.Load()
	if seen+uint32(slack/tick) < s.peer.seen {
		w.fail("fd %d: heard at tick %d, and now at %d", c.fd, s.peer.seen, seen)
	}
	s.peer.seen = seen
	s.peer.notice()
	w.checkOutbox(c)
}

func (w *world) checkOutbox(c *Conn) {
	if c.is(flagBlocked) && !c.is(flagBroken) && (c.out == nil || c.out.empty()) {
		w.fail("fd %d: blocked with nothing to send", c.fd)
	}
	if c.out == nil {
		return
	}
	if len(c.out.acks) > 0 && c.out.sealed == nil && c.work.Load()&held == 0 {
		w.fail("fd %d: %d Done are due, and no turn is coming", c.fd, len(c.out.acks))
	}
	n := len(c.out.sealed) - c.out.off
	for i := c.out.head; i < len(c.out.chunks); i++ {
		n += len(c.out.chunks[i].b) - c.out.chunks[i].off
	}
	if n != c.out.size {
		w.fail("fd %d: %d bytes are queued, and size says %d", c.fd, n, c.out.size)
	}
	if n > 0 && !c.is(flagBlocked|flagBroken) && c.work.Load()&held == 0 {
		w.fail("fd %d: %d bytes are queued, not blocked, and no turn is coming", c.fd, n)
	}
	limit := c.policy.maxOutbox + 1024
	if p := w.k.sockets[c.fd].peer; p.fragmented { // what waits for the last fragment counts for itself
		limit += c.policy.maxOutbox
	}
	if c.unsent() > limit {
		w.fail("fd %d: %d bytes are queued, limit %d", c.fd, c.unsent(), limit)
	}
	w.checkBehind(c)
}

// checkQuiet wants that nothing was forgotten when the engine only waits.
func (w *world) checkQuiet() {
	for _, s := range w.k.sockets {
		if s == nil || w.failure != "" {
			continue
		}
		if s.listens {
			w.checkListener(s)
			continue
		}
		c, what := s.peer.c, s.level()
		switch {
		case c == nil:
			w.fail("fd %d: accepted and forgotten", s.fd)
		case c.is(flagKilled):
			w.fail("fd %d: terminated, and still there", s.fd)
		case (len(s.in) > 0 || s.eof || s.err != nil) && c.reads() && !c.waiting():
			w.fail("fd %d: readable (%d bytes, end %v, error %v), and nobody reads", s.fd, len(s.in), s.eof, s.err)
		case c.out != nil && c.out.size > 0 && what&poller.Writable != 0 && !s.lacked && !c.is(flagBroken):
			w.fail("fd %d: %d bytes are queued, the socket has room, and nobody writes", s.fd, c.out.size)
		case c.armed != c.wants() && !c.is(flagEOF), c.wants()&^c.armed != 0:
			w.fail("fd %d: %v is watched, want %v (R6)", s.fd, c.armed, c.wants())
		case c.rests() && !c.waits() && !c.is(flagDeaf):
			w.fail("fd %d: undecoded bytes on a connection that is not paused", s.fd)
		}
		if c != nil && c.is(flagGotClose) && c.is(flagSentEnd) && !c.is(flagBroken) && !s.shut && c.unsent() == 0 {
			w.fail("fd %d: both close frames were exchanged, and no FIN follows", s.fd)
		}
		w.checkLimits(s, c)
		s.peer.checkWindow()
	}
	w.checkBudget()
}

// checkBudget wants nobody to hold much when the budget is used up, and nobody to be
// held when it is not.
func (w *world) checkBudget() {
	b := &w.e.budget
	if b.limit == 0 {
		return
	}
	for {
		level := b.level.Load()
		for _, l := range w.e.loops {
			l.weigh() // as the next event would
		}
		if b.level.Load() == level {
			break
		}
		w.quiesce()
	}
	used := int64(0)
	for _, l := range w.e.loops {
		used += l.bytes.Lent()
	}
	if d := used - b.used.Load(); d >= b.grain*int64(len(w.e.loops)) || -d >= b.grain*int64(len(w.e.loops)) {
		w.fail("%d bytes are held, and the budget knows of %d", used, b.used.Load())
	}
	for _, s := range w.k.sockets {
		if s == nil || s.listens {
			continue
		}
		c := s.peer.c
		switch {
		case b.level.Load() == shedding && c.loop.shedder.done != c.loop.now.Load() && c.weight() > 2*minHeavy && !c.is(flagKilled):
			w.fail("fd %d: holds %d bytes, while %d of %d are used", c.fd, c.weight(), used, b.limit)
		case b.level.Load() == calm && c.hold&holdMemory != 0 && c.ReadyState() == Open:
			w.fail("fd %d: not read for a budget of which %d of %d are used", c.fd, used, b.limit)
		}
	}
}

// waiting reports whether c waits for a verdict, unread.
func (c *Conn) waiting() bool { return c.ext != nil && c.ext.hs != nil && c.ext.hs.pending != nil }

// checkLimits wants a timer on everything that must end.
func (w *world) checkLimits(s *endpoint, c *Conn) {
	now, p := w.e.now(), c.policy
	quiet, left := now-min(c.seen.Load(), now), p.idle
	if c.is(flagPinged) {
		left -= p.ping
	}
	switch {
	case c.ReadyState() == Connecting && quiet > p.handshake+1:
		w.fail("fd %d: its handshake takes %d ticks", s.fd, quiet)
	case c.ReadyState() == Closing && quiet > p.closing+1:
		w.fail("fd %d: its closing takes %d ticks", s.fd, quiet)
	case c.ReadyState() != Open && c.due == 0:
		w.fail("fd %d: %v and without a timer", s.fd, c.ReadyState())
	case c.ReadyState() == Open && c.is(flagBlocked) && p.stall != 0 && (c.due == 0 || now-c.out.since > p.stall+1):
		w.fail("fd %d: blocked since tick %d, now %d, timer at %d", s.fd, c.out.since, now, c.due)
	case (p.idle != 0 || p.ping != 0) && c.due == 0:
		w.fail("fd %d: open and without a timer", s.fd)
	case c.ReadyState() == Open && p.ping != 0 && (p.idle == 0 || p.ping < p.idle) && !c.is(flagHeld|flagPinged) && quiet > p.ping+1:
		w.fail("fd %d: silent for %d ticks, and was not pinged", s.fd, quiet)
	case c.ReadyState() == Open && p.idle != 0 && !c.is(flagHeld) && quiet > left+1:
		w.fail("fd %d: silent for %d ticks, of %d that were left", s.fd, quiet, left)
	}
}

func (w *world) checkListener(s *endpoint) {
	in := w.s.listeners[0]
	if len(s.backlog) > 0 && !in.starved && !in.ready {
		w.fail("%d connections wait to be accepted, and nobody looks", len(s.backlog))
	}
}

// simLog is the engine's log: it must not tell of panics of the engine's own.
type simLog struct{ w *world }

func (l simLog) Enabled(context.Context, slog.Level) bool { return true }
func (l simLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l simLog) WithGroup(string) slog.Handler            { return l }

func (l simLog) Handle(_ context.Context, r slog.Record) error {
	l.w.log("engine: %s", r.Message)
	r.Attrs(func(a slog.Attr) bool {
		switch {
		case a.Key == "panic" && a.Value.String() != "simulated":
			l.w.fail("%s: %v", r.Message, a.Value)
		case a.Key == "stack" && l.w.failure != "":
			l.w.log("%s", a.Value)
		}
		return true
	})
	return nil
}
