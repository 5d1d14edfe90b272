package engine

import (
	"net/http"
	"runtime/debug"
	"time"

	"github.com/roost-ws/roost/codec"
)

// scratch is what a worker needs for the turn of one connection after another.
// An idle connection needs none of it.
type scratch struct {
	buf []byte        // what a turn reads
	dec codec.Decoder // of connections that are at a message boundary
	out *outbox       // collects a turn's output
	n   tally

	// Of handshakes, which would else be most of what a connection allocates.
	req    codec.Request
	asked  Request
	answer []byte
}

func (l *loop) newScratch() *scratch {
	return &scratch{buf: make([]byte, l.e.cfg.ReadBuffer), out: l.newCork()}
}

// discard gives back what a scratch holds, which no worker will use again. After a turn
// its outbox is empty, but for room.
func (l *loop) discard(s *scratch) {
	s.out.reset(&l.bytes)
	l.outs.put(s.out)
}

// turn lets c do what its marks ask for, and queues it again when more came
// meanwhile or is left. The caller holds c (R2).
func (s *scratch) turn(c *Conn) {
	marks := c.work.And(held)
	again := s.serve(c, marks&^held)
	if c.fd < 0 {
		return // and stays held: nobody runs it again
	}
	if again != 0 {
		c.work.Or(again)
	}
	if !c.work.CompareAndSwap(held, 0) {
		c.loop.requeue(c)
	}
}

// serve is one turn: what is to be read is read, then what was sent is written.
// It returns the marks under which there is more to do at once.
func (s *scratch) serve(c *Conn, marks uint32) (again uint32) {
	defer s.contain(c)
	now := c.loop.now.Load()
	s.cork(c, marks)
	if c.ReadyState() == Connecting {
		again = s.handshake(c, marks)
	} else {
		again = s.receive(c, marks)
	}
	if marks&markTimer != 0 {
		c.timer(now) // after what came: a peer that has answered is not silent
	}
	if s.uncork(c) {
		s.finish(c)
	}
	return again
}

// contain ends a connection whose handler panicked (R8).
func (s *scratch) contain(c *Conn) {
	v := recover()
	if v == nil {
		return
	}
	e := c.loop.e
	e.panics.Add(1)
	e.log.Error("panic in a handler: connection closed with 1011", "panic", v, "stack", string(debug.Stack()))
	s.dec.Reset(&c.loop.bytes)
	if c.fd < 0 {
		return // it was its Close
	}
	s.cork(c, 0) // once more if it was Drain, after the turn's output had left
	if c.ReadyState() == Connecting && (!c.is(flagTLS) || c.ext.tls.done) {
		c.refuse(&codec.HandshakeError{Status: http.StatusInternalServerError})
	}
	c.mu.Lock()
	c.fail(CodeInternal, nil)
	c.mu.Unlock()
	// The turn broke off before it said what is left to read (R7), or looked at its time.
	c.kick(markRead | markHangup | markTimer)
	defer s.contain(c) // Drain and Close may panic too
	if s.uncork(c) {
		s.finish(c)
	}
}

// cork makes output wait for the end of the turn, in the worker's own outbox
// unless the connection has one already.
func (s *scratch) cork(c *Conn, marks uint32) {
	c.mu.Lock()
	f := c.flags.Load() | flagCorked
	if marks&(markWrite|markHangup) != 0 {
		f &^= flagBlocked
	}
	c.flags.Store(f)
	if c.out == nil {
		c.out = s.out
	}
	c.mu.Unlock()
}

// uncork writes what the turn sent and takes the next step of closing. It
// reports whether the connection is at its end.
func (s *scratch) uncork(c *Conn) (end bool) {
	c.mu.Lock()
	c.unset(flagCorked)
	if !c.is(flagBlocked) {
		c.flush()
	}
	acks := c.takeAcks()
	if o := c.out; o.messages > 0 {
		c.loop.stats.sent(o.messages, o.payload)
		o.messages, o.payload = 0, 0
	}
	s.part(c)
	if s.n.bytesIn > 0 && c.is(flagPinged) {
		c.unset(flagPinged)
	}
	end = c.step()
	drained := c.drained()
	c.mu.Unlock()
	s.n.flush(&c.loop.stats)
	tell(acks)
	if drained {
		if h := c.handler.Load(); h.Drain != nil && c.is(flagOpened) {
			h.Drain(c)
		}
	}
	return end
}

// takeAcks returns the Done functions that are due. Under mu.
func (c *Conn) takeAcks() (due []ack) {
	if c.out != nil && len(c.out.acks) > 0 && c.out.sealed == nil {
		due, c.out.acks, c.out.sure = c.out.acks, nil, 0
	}
	return due
}

// tell calls the Done functions of acks, also those behind one that panics.
func tell(acks []ack) {
	next := 0
	defer func() {
		if next < len(acks) {
			tell(acks[next:])
		}
	}()
	for next < len(acks) {
		a := acks[next]
		next++
		a.done(a.err)
	}
}

// part settles whose outbox is whose after a turn. Under mu.
func (s *scratch) part(c *Conn) {
	l, out := c.loop, c.out
	switch {
	case out == s.out && out.empty():
		c.out = nil
		if len(out.chunks) == 0 { // a large frame took the cork's place
			l.cork(out)
		}
	case out == s.out: // the connection keeps it, and the worker needs another
		out.settle(&l.bytes)
		s.out = l.newCork()
	case out.empty():
		out.reset(&l.bytes)
		l.outs.put(out)
		c.out = nil
	}
}

// finish closes the descriptor and tells the handler (R5, R10). The connection
// stays held for ever after.
func (s *scratch) finish(c *Conn) {
	l := c.loop
	c.leaveAll()
	l.wheel.disarm(c)
	if c.is(flagTLS) {
		c.ext.tls.end()
	}
	c.mu.Lock()
	c.setState(Closed)
	var unsent []ack
	if c.out != nil {
		c.out.reset(&l.bytes)
	}
	c.abandon() // what was sent later is told of later
	if out := c.out; out != nil {
		unsent = c.takeAcks()
		l.outs.put(out)
		c.out = nil
	}
	if c.is(flagTLS) {
		l.bytes.Put(c.ext.tls.take()) // written when nothing could go out any more
	}
	code, reason, err := c.outcome()
	if c.ext != nil && c.ext.hs != nil {
		c.ext.hs.end(&l.bytes, err)
		c.ext.hs = nil
	}
	c.mu.Unlock()
	c.dropInbound()
	if c.is(flagDeflate) {
		c.ext.deflate.end(&l.bytes)
	}
	// Deferred, so that each happens also when another panics.
	defer c.release()
	if !c.is(flagOpened) {
		return
	}
	h := c.handler.Load()
	if h.Close != nil {
		defer h.Close(c, code, reason)
	}
	if err != nil && h.Error != nil {
		defer h.Error(c, err)
	}
	tell(unsent)
}

// release gives the descriptor back and counts c out.
func (c *Conn) release() {
	e, fd := c.loop.e, c.fd
	e.table.drop(fd)
	c.mu.Lock()
	c.fd, c.armed = -1, 0 // closing takes it out of the poller
	if err := c.loop.sys.Close(int(fd)); err != nil {
		e.log.Error("close failed", "fd", fd, "err", err)
	}
	c.mu.Unlock()
	if x := c.ext; x != nil && x.far != nil {
		// What the bridge still has for a peer that does not read must not keep it.
		_ = x.far.conn.SetWriteDeadline(time.Now().Add(defaultClosing))
	}
	c.loop.stats.closed.Add(1)
	c.policy.left(c)
	e.left()
}
