package engine

// Members of a topic that are behind: what was published for them waits, as the
// kernel takes no more or a message in fragments is not whole. All of it is under
// Conn.mu, and what queues also under the deflate's mu where there is one.

// deliver queues f, a published frame, for a member, or does what its topic says of
// one that is behind. It reports false when the connection ended of it.
func (c *Conn) deliver(f *frame) bool {
	if !c.admit(f) {
		c.unblock()
		return c.ReadyState() == Open
	}
	if c.is(flagFragment | flagWriter) {
		f.refs.Add(1)
		c.keepAfter(waiting{frame: f}, len(f.b))
		return true
	}
	c.sending(f)
	c.outbox().share(f, 0, &c.loop.bytes)
	return true
}

// admit makes room for f. False means that f is not to be queued, or was.
func (c *Conn) admit(f *frame) bool {
	t, size, most := f.topic, len(f.b), c.policy.maxOutbox
	if !c.is(flagBlocked | flagAfter) {
		if c.unsent()+size <= min(t.opts.MaxBehind, most) {
			return true
		}
		c.flush() // a turn's output, or a long pass: that is not the peer's fault
		if open := c.ReadyState() == Open; !open || !c.is(flagBlocked) {
			return open
		}
	}
	switch t.opts.Slow {
	case ByConn:
		return c.admitByConn(f)
	case Conflate:
		return !c.conflate(f) && c.admitByConn(f)
	}
	behind := c.behind(t)
	for t.opts.Slow == DropOldest && behind.frames > 0 && (behind.bytes+size > t.opts.MaxBehind || c.unsent()+size > most) {
		c.dropOldest(t)
		behind = c.behind(t)
	}
	fits := behind.frames == 0 || behind.bytes+size <= t.opts.MaxBehind
	switch {
	case fits && c.unsent()+size <= most:
		return true
	case t.opts.Slow == Disconnect:
		err := &BehindError{Waiting: behind.bytes, Queued: c.unsent(), Size: size, Limit: t.opts.MaxBehind}
		if fits {
			err.Limit = most
		}
		c.hangUp(t.opts.Code, t.opts.Reason, err)
		t.disconnected.Add(1) // behind it: who sees the count finds it closing
	default:
		c.countDrop(t)
	}
	return false
}

// admitByConn is admit by the connection's own limit.
func (c *Conn) admitByConn(f *frame) bool {
	if c.roomFor(c.unsent(), len(f.b)) == nil {
		return true
	}
	if c.ReadyState() == Open {
		f.topic.dropped.Add(1)
	} else {
		f.topic.disconnected.Add(1)
	}
	return false
}

// unblock ends the wait for room of a connection of which all that waited was dropped:
// it is no peer that takes nothing, and who waits for Drain is told.
func (c *Conn) unblock() {
	if !c.is(flagBlocked) || c.is(flagBroken) || c.out != nil && !c.out.empty() {
		return
	}
	c.unset(flagBlocked)
	c.rearm()
	c.kick(markKick)
}

func (c *Conn) countDrop(t *Topic) {
	t.dropped.Add(1)
	c.loop.stats.dropped.Add(1)
	c.loop.stats.droppedBy[t.opts.Slow].Add(1)
}

// behind is what waits of t. A frame of which bytes have left does not count: it
// cannot be dropped any more.
func (c *Conn) behind(t *Topic) (b lag) {
	if o := c.out; o != nil {
		o.track()
		if i := o.lagOf(t); i >= 0 {
			b = o.lags[i]
		}
		if b.frames > 0 && o.chunks[o.head].off > 0 && o.chunks[o.head].of(t) {
			b.frames--
			b.bytes -= len(o.chunks[o.head].b)
		}
	}
	if c.is(flagAfter) {
		for _, w := range c.ext.after.messages {
			if w.frame != nil && w.frame.topic == t {
				b.frames++
				b.bytes += len(w.frame.b)
			}
		}
	}
	return b
}

// dropOldest drops the first of t's frames that wait. There is one.
func (c *Conn) dropOldest(t *Topic) {
	c.countDrop(t)
	if o := c.out; o != nil {
		for i := o.head; i < len(o.chunks); i++ {
			if o.chunks[i].of(t) && o.chunks[i].off == 0 {
				o.remove(i, &c.loop.bytes)
				return
			}
		}
	}
	a := c.ext.after
	for i := range a.messages {
		if w := a.messages[i]; w.frame != nil && w.frame.topic == t {
			a.size -= len(w.frame.b)
			a.take(i)
			w.frame.release()
			return
		}
	}
}

// conflate drops what waits of f's topic. It reports true when f has taken the place
// of the last of it, so that a topic that is published to often does not lose its
// place in the line each time; but it never overtakes a message sent to c alone.
func (c *Conn) conflate(f *frame) (placed bool) {
	t := f.topic
	if c.keepLast(t); c.behind(t).frames == 0 {
		return false
	}
	o := c.out
	if o == nil || c.is(flagAfter) {
		c.dropOldest(t)
		return false
	}
	for i := len(o.chunks) - 1; i >= o.head && o.chunks[i].frame != nil; i-- {
		if !o.chunks[i].of(t) {
			continue
		}
		if c.unsent()-len(o.chunks[i].b)+len(f.b) > c.policy.maxOutbox {
			break
		}
		c.countDrop(t)
		c.sending(f)
		o.replace(i, f)
		return true
	}
	c.dropOldest(t)
	return false
}

// keepLast drops what waits of a topic that conflates, but for the last.
func (c *Conn) keepLast(t *Topic) {
	if t.opts.Slow != Conflate || !c.is(flagBlocked|flagAfter) {
		return
	}
	for n := c.behind(t).frames; n > 1; n-- {
		c.dropOldest(t)
	}
}

// hangUp closes a connection whose peer does not read: what has not begun to leave is
// dropped, and the close frame is next. In state Open.
func (c *Conn) hangUp(code CloseCode, reason string, err error) {
	c.blame(err)
	if c.out != nil {
		c.out.cut(&c.loop.bytes)
	}
	if c.is(flagAfter) {
		for i := range c.ext.after.messages {
			if w := &c.ext.after.messages[i]; w.done != nil {
				c.outbox().mark(unsent(w.done), &c.loop.bytes)
				w.done = nil
			}
		}
		c.abandon()
	}
	c.sendClose(code, reason)
	if c.out != nil && len(c.out.acks) > 0 {
		c.kick(markKick)
	}
}

// lag is what is queued of one topic.
type lag struct {
	topic         *Topic
	bytes, frames int
}

// of reports whether k is a frame of t.
func (k *chunk) of(t *Topic) bool { return k.frame != nil && k.frame.topic == t }

// track begins to count what is queued by topic: only an outbox of which somebody
// wants to know has the counts.
func (o *outbox) track() {
	if o.tracked {
		return
	}
	o.tracked = true
	for i := o.head; i < len(o.chunks); i++ {
		if f := o.chunks[i].frame; f != nil {
			o.lag(f, 1)
		}
	}
}

// lag counts f in, or out.
func (o *outbox) lag(f *frame, frames int) {
	if !o.tracked || f.topic == nil || f.topic.opts.Slow == ByConn {
		return
	}
	i := o.lagOf(f.topic)
	if i < 0 {
		i = len(o.lags)
		o.lags = append(o.lags, lag{topic: f.topic})
	}
	l := &o.lags[i]
	l.frames += frames
	l.bytes += frames * len(f.b)
	if l.frames == 0 {
		last := len(o.lags) - 1
		o.lags[i], o.lags[last] = o.lags[last], lag{}
		o.lags = o.lags[:last]
	}
}

func (o *outbox) lagOf(t *Topic) int {
	for i := range o.lags {
		if o.lags[i].topic == t {
			return i
		}
	}
	return -1
}
