package loadtest

import "github.com/roost-ws/roost/codec"

// push is the script of [Push] on one loop. With client events it publishes them
// too: those of each channel over the first connection that is subscribed to it.
type push struct {
	*pusher
	published
	sippers *sippers
	cursor  uint32 // the first event of the schedule that was not looked at
	sending bool
}

// begin starts sending client events.
func (s *push) begin() {
	s.sending = true
	s.due = min(s.due, s.schedule.begun)
}

// end stops, and tells what was sent.
func (s *push) end() *published {
	s.sending = false
	return &s.published
}

func (s *push) tick() int64 {
	next := min(s.pusher.tick(), s.sippers.sip())
	if !s.sending {
		return next
	}
	return min(next, s.publish())
}

// publish sends what is due, and returns when the next is.
func (s *push) publish() int64 {
	for range sendsPerTick {
		c, channel := s.sender()
		if s.cursor >= s.schedule.end {
			return never
		}
		due := s.schedule.dueAt(s.cursor)
		if due > s.now {
			return due
		}
		if c.state == connOpen {
			s.send(c, channel, due)
			s.now = s.clock()
		}
		s.cursor++
	}
	return s.now
}

// sender moves the cursor to an event that this loop has to send, and returns by which connection.
func (s *push) sender() (c *conn, channel uint32) {
	for ; s.cursor < s.schedule.end; s.cursor++ {
		channel = s.schedule.channelOf(s.cursor)
		if id := s.p.senderOf(channel); int(id)%s.loops == s.index {
			return &s.loop.conns[int(id)/s.loops], channel
		}
	}
	return nil, 0
}

// send publishes the event at the cursor.
func (s *push) send(c *conn, channel uint32, due int64) {
	e := eventHead{channel: channel, seq: s.schedule.sent[channel], number: s.cursor, left: s.now}
	s.plain = append(s.plain[:0], `{"event":"`+clientEventName+`","channel":"`...)
	s.plain = append(append(s.plain, s.p.names[channel]...), `","data":"`...)
	s.plain = append(s.stamp.append(s.plain, e), `"}`...)
	s.say(c, codec.Text, s.plain)
	s.flush(c)
	s.schedule.sent[channel]++
	if s.cursor < s.schedule.from {
		return
	}
	s.events++
	s.tried++
	if s.now-due > lateAfter {
		s.late++
	}
}
