package loadtest

import (
	"math"
	"time"

	"github.com/roost-ws/roost/codec"
)

// stage is where a life stands.
type stage uint8

const (
	stageNone    stage = iota // no connection, or its handshake is under way
	stageAsking               // its message has not come back
	stageLiving               // nothing is awaited
	stageLeaving              // its end was due, and waits for the message
	stageParting              // our close frame is sent
)

// life is a slot's state in a churn.
type life struct {
	since int64  // when the stage began
	seq   uint32 // of the message: its lives are numbered
	stage stage
}

// churn is the script of [Churn] on one loop.
//
// That lives are exponential needs no timer a connection, since the distribution has
// no memory: ends come as a Poisson process of slots / lifetime a second, and each falls on any slot.
// Where no connection stands, it falls on nothing.
type churn struct {
	*loop
	c       *Churn
	speak   speaker
	state   []life  // by slot
	death   int64   // when the next end is due
	apart   float64 // mean nanoseconds between two
	retries agenda  // slots whose dial failed
	waits   agenda  // slots that are leaving or parting

	measuring                  bool
	counts                     churnCounts
	handshakes, closes, echoes *latency
}

// churnCounts are those of the time measured.
type churnCounts struct {
	opened, failed, lost, closed, aborted, unanswered, lingering, silent uint64
}

const (
	retryAfter    = int64(100 * time.Millisecond)
	deathsPerTick = 256
)

func newChurn(l *loop, c *Churn, speak speaker) *churn {
	return &churn{
		loop: l, c: c, speak: speak, state: make([]life, len(l.conns)), death: never,
		handshakes: newLatency(), closes: newLatency(), echoes: newLatency(),
	}
}

// begin lets the open connections live, and has the others dialled again.
func (s *churn) begin() {
	s.now = s.clock()
	s.apart = float64(s.c.Lifetime) / float64(len(s.conns))
	for i := range s.conns {
		if c := &s.conns[i]; c.state == connOpen {
			s.live(c)
		} else {
			s.retries.add(s.now+retryAfter, c.slot)
		}
	}
	s.death = s.now + s.wait()
	s.due = s.now
}

// wait is how long it is from one end to the next.
func (s *churn) wait() int64 { return int64(-math.Log(1-s.uniform()) * s.apart) }

func (s *churn) measure() { s.measuring, s.counts = true, churnCounts{} }

// end lets those live that do. Others come to their end, and all slots are filled again.
func (s *churn) end() { s.measuring, s.death = false, never }

// standing is how many live.
func (s *churn) standing() (n int) {
	for i := range s.state {
		if st := s.state[i].stage; st == stageLiving || st == stageAsking {
			n++
		}
	}
	return n
}

func (s *churn) live(c *conn) {
	st := &s.state[c.slot]
	st.stage, st.since = stageLiving, s.now
	if s.c.Echo {
		st.stage = stageAsking
		s.speak.say(c, st.seq)
		s.flush(c)
	}
}

func (s *churn) opened(c *conn) {
	if s.apart == 0 {
		return // the first opening
	}
	if s.measuring {
		s.counts.opened++
		s.handshakes.record(s.now - c.since)
		s.recent.record(s.now - c.since)
	}
	s.live(c)
}

func (s *churn) ended(c *conn, was connState, _ error) {
	if s.apart == 0 {
		return
	}
	st := &s.state[c.slot]
	leaving := st.stage == stageParting
	n := s.uncounted()
	switch {
	case was.dialling():
		n.failed++
	case was == connOpen:
		n.lost++
	case leaving:
		n.closed++
		if !c.answered {
			n.unanswered++
		}
		if s.measuring {
			s.closes.record(s.now - st.since)
		}
	}
	st.stage = stageNone
	st.seq++
	if leaving {
		s.redial(c)
		return
	}
	// A server that refuses is not asked again at once.
	s.retries.add(s.now+retryAfter, c.slot)
	s.due = min(s.due, s.retries.next())
}

// uncounted is where to count: nowhere while nothing is measured.
func (s *churn) uncounted() *churnCounts {
	if s.measuring {
		return &s.counts
	}
	return new(churnCounts)
}

func (s *churn) closed(*conn) {}

func (s *churn) message(c *conn, m codec.Message) error {
	st := &s.state[c.slot]
	if st.stage != stageAsking && st.stage != stageLeaving {
		if s.c.Echo {
			return &failure{cause: causeCorrupt, err: errUnasked}
		}
		return nil
	}
	sent, err := s.speak.check(c, m, st.seq)
	if err != nil {
		return &failure{cause: causeCorrupt, err: err}
	}
	s.messages++
	if s.measuring {
		s.echoes.record(s.now - sent)
	}
	if st.stage == stageLeaving {
		s.leaveNow(c)
		return nil
	}
	st.stage = stageLiving
	return nil
}

func (s *churn) tick() int64 {
	for slot, ok := s.retries.take(s.now); ok; slot, ok = s.retries.take(s.now) {
		s.redial(&s.conns[slot])
	}
	for slot, ok := s.waits.take(s.now); ok; slot, ok = s.waits.take(s.now) {
		s.giveUp(&s.conns[slot])
	}
	for range deathsPerTick {
		if s.death > s.now {
			break
		}
		s.die(&s.conns[int(s.uniform()*float64(len(s.conns)))])
		s.death += s.wait()
	}
	return min(s.death, s.retries.next(), s.waits.next())
}
