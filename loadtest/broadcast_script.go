package loadtest

import (
	"math"

	"github.com/roost-ws/roost/codec"
)

// receiver is a connection's state in a broadcast.
type receiver struct {
	got       []uint64 // bit k%64 of word k/64: message k came
	next      uint32   // above the highest that came
	takesPart bool     // it stood at the beginning
}

// arrival is how a message came.
type arrival uint8

const (
	inOrder arrival = iota
	reordered
	duplicate
)

func (r *receiver) has(k uint32) bool {
	word := int(k / 64)
	return word < len(r.got) && r.got[word]&(1<<(k%64)) != 0
}

// take notes that message k came.
func (r *receiver) take(k uint32) arrival {
	if r.has(k) {
		return duplicate
	}
	for uint32(len(r.got)) <= k/64 {
		r.got = append(r.got, 0)
	}
	r.got[k/64] |= 1 << (k % 64)
	if k < r.next {
		return reordered
	}
	r.next = k + 1
	return inOrder
}

// broadcast is the script of [Broadcast] on one loop. The first loop's first
// connection that stands sends.
type broadcast struct {
	*loop
	cast  caster
	aside slowShare  // these connections do not count
	first uint32     // the number of the first message; those below are of an earlier script
	state []receiver // by slot

	begun int64
	apart float64 // nanoseconds between two messages
	skew  int64   // by how much the sender's clock may be ahead
	to    int64   // nothing is due at to or later
	sent  uint32  // number of the next to send
	late  []uint32

	came                  [][]int64 // by message: when it came to each connection
	duplicates, reordered uint64
}

func (s *broadcast) begin(at int64, apart float64, to int64) {
	s.begun, s.apart, s.to = at, apart, to
	for i := range s.conns {
		s.state[i].takesPart = s.conns[i].state == connOpen && !s.aside.has(s.id(&s.conns[i]))
	}
	if s.sends() {
		s.due = at
	}
}

// sends reports whether the messages leave from this loop: from the first of the first part.
func (s *broadcast) sends() bool { return s.id(&s.conns[0]) == 0 }

func (s *broadcast) dueAt(k uint32) int64 { return s.begun + int64(float64(k)*s.apart) }

// numberAt is the first message that is due at a moment or later.
func (s *broadcast) numberAt(at int64) uint32 {
	return uint32(max(0, math.Ceil(float64(at-s.begun)/s.apart)))
}

// tick sends what is due.
func (s *broadcast) tick() int64 {
	for s.apart > 0 && s.sends() {
		due := s.dueAt(s.sent)
		switch {
		case due >= s.to:
			return never
		case due > s.now:
			return due
		}
		c := s.sender()
		if c == nil {
			return never
		}
		if s.now-due > lateAfter {
			s.late = append(s.late, s.sent)
		}
		s.cast.say(c, s.first+s.sent)
		s.sent++
		s.flush(c)
		s.now = s.clock()
	}
	return never
}

func (s *broadcast) sender() *conn {
	for i := range s.conns {
		if s.conns[i].state == connOpen {
			return &s.conns[i]
		}
	}
	return nil
}

func (s *broadcast) message(c *conn, m codec.Message) error {
	seq, err := s.cast.parse(m)
	if err == nil && seq < s.first {
		return nil
	}
	if seq -= s.first; err == nil && s.dueAt(seq) > s.now+s.skew {
		err = errUnasked
	}
	if err != nil {
		return &failure{cause: causeCorrupt, err: err}
	}
	s.messages++
	switch s.state[c.slot].take(seq) {
	case duplicate:
		s.duplicates++
		return nil
	case reordered:
		s.reordered++
	}
	for uint32(len(s.came)) <= seq {
		s.came = append(s.came, nil)
	}
	s.came[seq] = append(s.came[seq], s.now)
	s.recent.record(s.now - s.dueAt(seq))
	return nil
}

func (s *broadcast) closed(*conn) {}

// times are when message k came to this loop's connections.
func (s *broadcast) times(k uint32) []int64 {
	if int(k) >= len(s.came) {
		return nil
	}
	return s.came[k]
}

// missing counts what connections that still stand did not get of the messages
// from first to before end.
func (s *broadcast) missing(first, end uint32) (n uint64) {
	for i := range s.state {
		st := &s.state[i]
		if !st.takesPart || s.conns[i].state != connOpen {
			continue
		}
		for k := first; k < end; k++ {
			if !st.has(k) {
				n++
			}
		}
	}
	return n
}

func (s *broadcast) lateFrom(first uint32) (n uint64) {
	for _, k := range s.late {
		if k >= first {
			n++
		}
	}
	return n
}
