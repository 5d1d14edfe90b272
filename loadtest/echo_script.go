package loadtest

import (
	"math"
	"time"

	"github.com/roost-ws/roost/codec"
)

// echoConn is a connection's state in an echo. Its messages are numbered from 0.
type echoConn struct {
	sent  uint32 // number of the next to send
	got   uint32 // number of the next to come back
	place uint32 // index in active
}

// echo is the script of [Echo] on one loop.
//
// In the open model message k of active connection j is due at
// begun + (k × len(active) + j) × step. So what is due needs no queue: a
// connection that has as many under way as it may is behind its schedule, and
// catches up when replies come.
type echo struct {
	*loop
	e      *Echo
	speak  speaker
	aside  slowShare  // these connections take no part
	first  uint32     // the number of each connection's first message; those below are of an earlier script
	state  []echoConn // by slot
	active []uint32   // slots of the connections that take part
	begun  int64
	step   float64 // nanoseconds between two messages of this loop; 0 in the closed model
	cursor int     // how many places of the schedule have passed

	from, to         int64 // what is measured; nothing is due at to or later
	measured         uint64
	late, unanswered uint64
	corrected, raw   *latency
}

// lateAfter is when a message that left after its time counts as late.
const lateAfter = int64(time.Millisecond)

// sendsPerTick keeps a schedule that is behind from starving the replies.
const sendsPerTick = 256

func newEcho(l *loop, e *Echo, speak speaker) *echo {
	return &echo{
		loop: l, e: e, speak: speak, state: make([]echoConn, len(l.conns)),
		from: never, to: never, corrected: newLatency(), raw: newLatency(),
	}
}

// begin starts sending on the open connections, of which there are so many on
// all loops.
func (s *echo) begin(at int64, everywhere int) {
	for i := range s.conns {
		if s.takes(&s.conns[i]) {
			s.state[i].place = uint32(len(s.active))
			s.active = append(s.active, uint32(i))
		}
	}
	if len(s.active) == 0 {
		return
	}
	if s.e.Rate > 0 {
		apart := 1e9 / s.e.Rate
		s.step = apart * float64(everywhere) / float64(len(s.active))
		s.begun = at + int64(apart*float64(s.index)) // loops take turns
		s.due = s.begun
		return
	}
	for _, slot := range s.active {
		c := &s.conns[slot]
		s.now = s.clock()
		s.pump(c)
		s.flush(c)
	}
}

// takes reports whether c takes part.
func (s *echo) takes(c *conn) bool { return c.state == connOpen && !s.aside.has(s.id(c)) }

// takers is how many do.
func (s *echo) takers() (n int) {
	for i := range s.conns {
		if s.takes(&s.conns[i]) {
			n++
		}
	}
	return n
}

// dueAt is when a place of the schedule comes.
func (s *echo) dueAt(place int) int64 { return s.begun + int64(float64(place)*s.step) }

// dueOf is when message k of st's connection is due.
func (s *echo) dueOf(st *echoConn, k uint32) int64 {
	return s.dueAt(int(k)*len(s.active) + int(st.place))
}

// pump appends what c may send now.
func (s *echo) pump(c *conn) {
	st := &s.state[c.slot]
	for int(st.sent-st.got) < s.e.InFlight {
		if s.step > 0 {
			due := s.dueOf(st, st.sent)
			if due > s.now || due >= s.to {
				return
			}
			if due >= s.from && s.now-due > lateAfter {
				s.late++
			}
		} else if s.to != never {
			return
		}
		s.speak.say(c, s.first+st.sent)
		st.sent++
	}
}

func (s *echo) message(c *conn, m codec.Message) error {
	st := &s.state[c.slot]
	sent, err := s.speak.check(c, m, s.first+st.got)
	if err != nil && s.speak.stale(c, m, s.first) {
		return nil
	}
	if err == nil && st.got == st.sent {
		err = errUnasked
	}
	if err != nil {
		return &failure{cause: causeCorrupt, err: err}
	}
	s.messages++
	inside := s.now >= s.from && s.now < s.to
	if inside {
		s.measured++
	}
	if s.step > 0 {
		if due := s.dueOf(st, st.got); due >= s.from {
			s.corrected.record(s.now - due)
			s.raw.record(s.now - sent)
			s.recent.record(s.now - due)
		}
	} else if inside {
		s.raw.record(s.now - sent)
		s.recent.record(s.now - sent)
	}
	st.got++
	s.pump(c)
	return nil
}

func (s *echo) closed(*conn) {}

// tick sends what has become due.
func (s *echo) tick() int64 {
	if len(s.active) == 0 {
		return never
	}
	for range sendsPerTick {
		due := s.dueAt(s.cursor)
		if due >= s.to {
			return never
		}
		if due > s.now {
			return due
		}
		if c := &s.conns[s.active[s.cursor%len(s.active)]]; c.state == connOpen {
			s.pump(c)
			s.flush(c)
			s.now = s.clock()
		}
		s.cursor++
	}
	return s.now
}

func (s *echo) measureFrom(at int64) { s.from = at }

// drainFrom ends what is measured. What was due before is still sent and awaited.
func (s *echo) drainFrom(at int64) { s.to = at }

// expected is how many messages st's connection should have got back at the end.
func (s *echo) expected(st *echoConn) uint32 {
	if s.step == 0 {
		return st.sent
	}
	places := float64(s.to-s.begun)/s.step - float64(st.place)
	return uint32(max(0, math.Ceil(places/float64(len(s.active)))))
}

// pending is how many replies are awaited.
func (s *echo) pending() (n uint64) {
	for _, slot := range s.active {
		if st := &s.state[slot]; s.conns[slot].state == connOpen {
			n += uint64(max(s.expected(st), st.got) - st.got)
		}
	}
	return n
}

// finish takes into account what never came back: in the open model with its age,
// unless its connection has ended, which is a failure and no latency.
func (s *echo) finish() {
	now := s.clock()
	for _, slot := range s.active {
		st := &s.state[slot]
		for k := st.got; k < s.expected(st); k++ {
			s.unanswered++
			if s.step == 0 || s.conns[slot].state != connOpen {
				continue
			}
			if due := s.dueOf(st, k); due >= s.from {
				s.corrected.record(now - due)
			}
		}
	}
}
