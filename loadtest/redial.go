package loadtest

// lives is a script that follows its connections from dial to dial. Both calls come
// from the loop's goroutine, after the loop has counted what happened.
type lives interface {
	// opened is told of a handshake that is done; l.now is when.
	opened(c *conn)
	// ended is told of a dial that failed and of a connection that ended, but for
	// one that abort ended. was is how far it had come: connClosing is one that part
	// was called for. c has no descriptor any more and may be handed to redial.
	// Of an open one, closed was told before.
	ended(c *conn, was connState, err error)
}

// redials are slots that wait to be dialled again, first come first served.
type redials struct {
	queue []uint32
	head  int   // of queue, dialled already
	next  int64 // when the loop may go on; never when nobody waits, or all wait for a handshake to end
	from  int64 // when connectRate allows the next one
}

// redial has a closed connection dialled again, when the connection rate and the
// number of handshakes under way allow. It only queues: descriptors are opened
// after the turn's events, of which none may meet a number's next owner. A connection must
// not be queued twice. Scripts call it, once connect has returned; what fails is better
// not queued again at once.
func (l *loop) redial(c *conn) {
	l.anew.queue = append(l.anew.queue, c.slot)
	l.anew.next = min(l.anew.next, l.now)
}

// dialAgain dials what waits, as far as it may. A rate that was not used up is not
// made up for later.
func (l *loop) dialAgain() {
	r := &l.anew
	r.next = never
	if r.head == len(r.queue) {
		return
	}
	r.from = max(r.from, l.now-int64(sweepTick))
	// What fails at once may be queued again meanwhile, and has to wait for the next turn.
	for last := min(len(r.queue), r.head+dialsPerTurn); r.head < last && l.dialling < l.maxDialling && r.from <= l.now; {
		slot := r.queue[r.head]
		r.head++
		if l.connectRate > 0 {
			r.from += int64(1e9 / l.connectRate)
		}
		l.redialled++
		l.dial(&l.conns[slot])
	}
	if r.head > len(r.queue)/2 {
		r.queue, r.head = r.queue[:copy(r.queue, r.queue[r.head:])], 0
	}
	switch {
	case r.head == len(r.queue) || l.dialling >= l.maxDialling: // the end of a handshake turns the loop
	case r.from > l.now:
		r.next = r.from
	default:
		r.next = l.now
	}
}

// abort ends a connection that is open or parting with an RST. Nobody is told.
func (l *loop) abort(c *conn) {
	l.reset(c)
	l.open--
	l.left++
}
