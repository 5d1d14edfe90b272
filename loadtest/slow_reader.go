package loadtest

import (
	"io"
	"math"
	"syscall"
	"time"

	"github.com/roost-ws/roost/poller"
)

// slowShare is the share of a run's connections that read slowly: 0 to 1. They are
// spread evenly; the first is none of them.
type slowShare float64

// has reports whether connection id is one.
func (s slowShare) has(id uint32) bool {
	return s > 0 && math.Floor(float64(id+1)*float64(s)) > math.Floor(float64(id)*float64(s))
}

// slowBuffer is the receive buffer that slow readers ask for: else megabytes that
// nobody reads would lie in our kernel, and the server would not notice.
const slowBuffer = 8 << 10

// sipEvery is how often slow readers read a little.
const sipEvery = int64(50 * time.Millisecond)

// sippers are a loop's connections that read at so many bytes a second each, from
// begin to end. What they read goes to the loop's script as always. Between two
// reads a descriptor is out of the poller, so nothing is known of what comes, nor
// of the end of the stream, until it has been read.
type sippers struct {
	*loop
	rate  float64 // bytes a second and connection; 0 = they never read
	slots []uint32
	next  int64 // when to read; never before begin and after end
	last  int64
	taken uint64 // bytes read
	owed  float64
}

func newSippers(l *loop, rate float64) *sippers {
	s := &sippers{loop: l, rate: rate, next: never}
	for i := range l.conns {
		if l.slow.has(l.id(&l.conns[i])) {
			s.slots = append(s.slots, uint32(i))
		}
	}
	return s
}

// begin takes the open ones out of the poller.
func (s *sippers) begin() error {
	s.last = s.clock()
	s.next = s.last + sipEvery
	return s.register(poller.Readable|poller.Writable, 0)
}

// end has the poller tell of them again, at once where something is there, so that
// they read all that they were sent.
func (s *sippers) end() error {
	s.next = never
	return s.register(0, poller.Readable|poller.Writable)
}

func (s *sippers) register(from, to poller.Ready) error {
	for _, slot := range s.slots {
		if c := &s.conns[slot]; c.state == connOpen {
			if err := s.poll.Update(int(c.fd), from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// sip reads what is due, and returns when to be called again. What was not there in
// time is not made up for.
func (s *sippers) sip() int64 {
	if s.now < s.next {
		return s.next
	}
	s.owed += s.rate * float64(s.now-s.last) / 1e9
	due := int(s.owed)
	s.owed -= float64(due)
	s.last, s.next = s.now, s.now+sipEvery
	for _, slot := range s.slots {
		c := &s.conns[slot]
		if c.state == connOpen {
			s.unblock(c) // no event tells that it could write
		}
		for left := due; left > 0 && c.state == connOpen; {
			n := s.sipOnce(c, min(left, len(s.in)))
			if n == 0 {
				break
			}
			left -= n
			s.taken += uint64(n)
		}
	}
	return s.next
}

// sipOnce reads once, and returns how much that gave.
func (l *loop) sipOnce(c *conn, most int) int {
	n, err := l.receive(c, l.in[:most])
	switch {
	case err == syscall.EAGAIN:
		return 0
	case err != nil:
		l.end(c, err)
		return 0
	case n == 0:
		l.end(c, io.EOF)
		return 0
	}
	l.feed(c, l.in[:n])
	l.flush(c)
	return n
}
