package loadtest

import (
	"time"

	"github.com/roost-ws/roost/codec"
)

// idle is the script of [Idle] on one loop. While verifying, a window of
// messages moves over the connections.
type idle struct {
	*loop
	stamp   *stamp
	waiting []bool // by slot: a reply is awaited; nil while nothing is verified
	next    int    // the slot to verify next
	window  int    // replies awaited
	echoed  int
	heard   int64 // when the last reply came
}

const (
	verifyWindow = 128             // messages under way on a loop
	verifyQuiet  = 5 * time.Second // without any reply, the others are silent
)

// verify sends one message over each connection.
func verify(d *driver, scripts []*idle) *Verified {
	begun := time.Now()
	d.each(func(l *loop) { scripts[l.index].begin() })
	var v Verified
	for d.wait("verify", closePoll, nil) {
		left, heard := 0, int64(0)
		d.each(func(l *loop) {
			s := scripts[l.index]
			left += s.window + len(s.conns) - s.next
			heard = max(heard, s.heard)
		})
		if left == 0 || d.plan.clock()-heard > int64(verifyQuiet) {
			break
		}
	}
	d.each(func(l *loop) {
		s := scripts[l.index]
		v.Echoed += s.echoed
		v.Silent += s.silent()
		s.waiting, s.due = nil, never
	})
	v.Took = time.Since(begun)
	return &v
}

func (s *idle) begin() {
	s.waiting = make([]bool, len(s.conns))
	s.heard = s.clock()
	s.due = s.now
}

// tick fills the window.
func (s *idle) tick() int64 {
	for s.window < verifyWindow && s.next < len(s.conns) {
		c := &s.conns[s.next]
		s.next++
		if c.state != connOpen {
			continue
		}
		s.waiting[c.slot] = true
		s.window++
		s.sayStamped(c, s.stamp, 0, s.now)
		s.flush(c)
	}
	return never
}

func (s *idle) message(c *conn, m codec.Message) error {
	s.messages++
	if s.waiting == nil || !s.waiting[c.slot] {
		return nil
	}
	if _, err := s.stamp.check(m, s.id(c), 0); err != nil {
		return &failure{cause: causeCorrupt, err: err}
	}
	s.echoed++
	s.account(c)
	return nil
}

func (s *idle) closed(c *conn) {
	if s.waiting != nil && s.waiting[c.slot] {
		s.account(c)
	}
}

// account makes room in the window.
func (s *idle) account(c *conn) {
	s.waiting[c.slot] = false
	s.window--
	s.heard = s.now
	s.due = s.now // the tick comes at the end of the turn
}

// silent is how many open connections were not heard.
func (s *idle) silent() (n int) {
	for i := range s.conns {
		if s.conns[i].state == connOpen && (s.waiting[i] || i >= s.next) {
			n++
		}
	}
	return n
}
