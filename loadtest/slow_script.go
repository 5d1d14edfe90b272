package loadtest

import (
	"slices"

	"github.com/roost-ws/roost/codec"
)

// slow is the script of [Slow] on one loop: one of another scenario for those that
// read as they can, and what slow readers get, and send, beside it.
type slow struct {
	*loop
	s       *Slow
	stamp   *stamp
	inner   script   // nil before the first phase
	readers *sippers // nil while all are fast
	first   uint32   // the number of the phase's first message

	sent  uint32 // messages of the broadcast's phase
	state []sipper
	next  int64 // when the slow ones send next, of an echo
	begun int64
	cuts  map[string]int // slow ones that the server disconnected
}

// sipper is a slow reader, in the order of the readers' slots.
type sipper struct {
	got  receiver
	n    uint64 // of messages got, each once
	sent uint32 // by itself, of an echo
}

// play puts another scenario's script in.
func (s *slow) play(inner script, first uint32) { s.inner, s.first = inner, first }

// slowDown begins to read slowly, before the phase whose first message has this number.
func (s *slow) slowDown(first uint32) error {
	s.first, s.due = first, s.clock()
	s.readers = newSippers(s.loop, s.s.ReadRate)
	s.state = make([]sipper, len(s.readers.slots))
	s.begun, s.next = s.clock(), never
	if s.s.Echo && len(s.readers.slots) > 0 {
		s.next = s.begun
	}
	return s.readers.begin()
}

func (s *slow) speedUp() error {
	s.next = never
	return s.readers.end()
}

// sipper is the slow reader on a slot; nil for others, and while all are fast.
func (s *slow) sipper(c *conn) *sipper {
	if s.readers == nil || !s.slow.has(s.id(c)) {
		return nil
	}
	i, _ := slices.BinarySearch(s.readers.slots, c.slot)
	return &s.state[i]
}

func (s *slow) message(c *conn, m codec.Message) error {
	st := s.sipper(c)
	switch {
	case st == nil && s.inner == nil:
		return nil
	case st == nil:
		return s.inner.message(c, m)
	}
	_, seq, _, err := s.stamp.parse(m)
	if err != nil {
		return &failure{cause: causeCorrupt, err: err}
	}
	s.messages++
	if seq >= s.first && st.got.take(seq-s.first) != duplicate {
		st.n++
	}
	return nil
}

func (s *slow) closed(*conn) {}
func (s *slow) opened(*conn) {}

func (s *slow) ended(c *conn, was connState, err error) {
	if s.sipper(c) == nil || was != connOpen {
		return
	}
	key := failureKey{}
	key.cause, key.status = causeOf(was, err)
	s.cuts[key.name()]++
}

func (s *slow) tick() int64 {
	next := s.inner.tick()
	if s.readers == nil {
		return next
	}
	return min(next, s.readers.sip(), s.say())
}

// say sends what the slow ones would be echoed, as often as the others do.
func (s *slow) say() int64 {
	if s.now < s.next {
		return s.next
	}
	apart := int64(1e9 * float64(s.s.Conns) / s.s.Rate)
	for i, slot := range s.readers.slots {
		c, st := &s.conns[slot], &s.state[i]
		if c.state != connOpen || c.blocked() {
			continue
		}
		s.sayStamped(c, s.stamp, s.first+st.sent, s.now)
		st.sent++
		s.flush(c)
	}
	s.next = max(s.next+apart, s.now)
	return s.next
}

// owed is how many messages a slow reader should have got.
func (s *slow) owed(st *sipper) uint64 {
	if s.s.Echo {
		return uint64(st.sent)
	}
	return uint64(s.sent)
}

// behind is how many slow readers that still stand have not got all.
func (s *slow) behind() (n int) {
	for i, slot := range s.readers.slots {
		if st := &s.state[i]; s.conns[slot].state == connOpen && st.n < s.owed(st) {
			n++
		}
	}
	return n
}

func (s *slow) tell(r *SlowReport) {
	r.Slow += len(s.readers.slots)
	r.ReadPerSecond += float64(s.readers.taken) * 1e9 / float64(max(s.readers.last-s.begun, 1))
	for cause, n := range s.cuts {
		r.cut(cause, n)
	}
	for i := range s.state {
		st := &s.state[i]
		owed := s.owed(st)
		r.Owed += owed
		r.Missed += owed - min(owed, st.n)
	}
}
