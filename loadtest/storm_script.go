package loadtest

import (
	priority "container/heap"
	"errors"
	"math"
	"time"

	"github.com/roost-ws/roost/codec"
)

// stormConn is a connection's state in a storm.
type stormConn struct {
	failed    uint16 // attempts since it stood
	takesPart bool   // it stood when the storm was about to begin
	away      bool   // it was cut and is not back
}

// storm is the script of [Storm] on one loop.
type storm struct {
	*loop
	o     *Storm
	h     *pusher // nil on servers of which nothing but WebSockets is known
	state []stormConn
	queue returns
	alive *keepalive // the pusher's where there is one; nil when nothing is pinged

	braced   bool
	cutAt    int64
	first    int64         // when the first was cut; 0 before
	cut      int           // connections
	away     int           // of these, not back and not given up
	silence  time.Duration // between pings, once one was not answered
	gaveUp   int           // of these, told by the server not to come back
	attempts int
	dials    []uint32 // attempts by dialTick since the cut
	times    *latency // from the cut to being back
}

// dialTick is how finely attempts are counted, to find the worst second.
const dialTick = 100 * time.Millisecond

// keep has connections be pinged, and the silent ones ended.
func (s *storm) keep() {
	switch {
	case s.h != nil:
		s.alive = &s.h.alive
	case s.o.Ping > 0:
		s.alive = &keepalive{loop: s.loop, every: s.o.Ping, next: never, ping: s.ping}
	default:
		return
	}
	s.cameAt = make([]int64, len(s.conns))
	if s.o.Ping > 0 {
		s.alive.every = min(s.alive.every, s.o.Ping)
	}
}

func (s *storm) ping(c *conn) {
	s.out = codec.AppendFrame(s.out, s.header(codec.Ping), nil)
	s.flush(c)
}

func (s *storm) begin() {
	if s.alive != nil {
		s.now = s.clock()
		s.alive.begin()
	}

	for i := range s.conns {
		s.state[i].takesPart = s.conns[i].state == connOpen
	}
}

// brace has every end count from now on. How many dial at a time is the backoff's
// business then, and no longer the ramp's.
func (s *storm) brace(at int64) {
	s.braced, s.cutAt = true, at
	free := *s.plan
	free.connectRate, free.maxDialling = 0, len(s.conns)
	s.plan = &free
}

// cutAll ends all connections with an RST each.
func (s *storm) cutAll() {
	s.now = s.clock()
	for i := range s.conns {
		if c := &s.conns[i]; c.state == connOpen {
			s.abort(c)
			s.closed(c)
			s.ended(c, connOpen, nil)
		}
	}
}

func (s *storm) firstCut() int64 {
	if s.first == 0 {
		return never
	}
	return s.first
}

func (s *storm) message(c *conn, m codec.Message) error {
	if s.h != nil {
		return s.h.message(c, m)
	}
	s.messages++
	return nil
}

func (s *storm) closed(c *conn) {
	if s.h != nil {
		s.h.closed(c)
	}
}

// opened has a connection be back where nothing more than a handshake is asked for.
func (s *storm) opened(c *conn) {
	if s.h == nil {
		s.back(c)
	}
}

// back counts a connection that stands again, with all that it had.
func (s *storm) back(c *conn) {
	st := &s.state[c.slot]
	st.failed = 0
	if st.away {
		st.away = false
		s.away--
		s.times.record(s.now - s.cutAt)
	}
}

// ended has a connection come back, unless the server does not want it to.
func (s *storm) ended(c *conn, _ connState, err error) {
	st := &s.state[c.slot]
	if !s.braced || !st.takesPart {
		return
	}
	if !st.away {
		if s.first == 0 {
			s.first = s.now
		}
		st.away = true
		s.away++
		s.cut++
	} else {
		st.failed++
		s.divert(c)
	}
	if f := (*failure)(nil); errors.As(err, &f) && f.cause == causeSilent {
		s.silence = s.alive.every
	}
	code := closeCode(err)
	if terminal(code) {
		st.takesPart = false
		s.away--
		s.gaveUp++
		return
	}
	priority.Push(&s.queue, homecoming{s.now + s.backoff(st.failed), c.slot})
	s.due = min(s.due, s.queue[0].at)
}

// closeCode is what the server ended a connection with, 0 without a close frame.
func closeCode(err error) int {
	if f := (*failure)(nil); errors.As(err, &f) && f.cause == causeClosed {
		return f.status
	}
	return 0
}

// terminal reports whether the Pusher protocol forbids to come back unchanged.
func terminal(code int) bool { return 4000 <= code && code < 4100 }

// backoff draws the wait before an attempt, from nothing to a bound that doubles with each
// failure: full jitter, which spreads a herd best.
func (s *storm) backoff(failed uint16) int64 {
	if s.o.Herd {
		return int64(min(int(failed), 1)) * int64(s.o.MinBackoff)
	}
	bound := int64(s.o.MaxBackoff)
	if failed < 32 && s.o.MinBackoff < s.o.MaxBackoff>>failed {
		bound = int64(s.o.MinBackoff) << failed
	}
	s.mask() // moves on what is random
	return int64(mix(s.random) % uint64(bound+1))
}

func (s *storm) tick() int64 {
	next := int64(never)
	if s.alive != nil {
		next = s.alive.tick()
	}
	for len(s.queue) > 0 && s.queue[0].at <= s.now {
		c := &s.conns[priority.Pop(&s.queue).(homecoming).slot]
		s.attempts++
		s.count()
		s.redial(c)
	}
	if len(s.queue) > 0 {
		next = min(next, s.queue[0].at)
	}
	return next
}

// count notes when an attempt was made.
func (s *storm) count() {
	at := max(0, int((s.now-s.cutAt)/int64(dialTick)))
	for len(s.dials) <= at {
		s.dials = append(s.dials, 0)
	}
	if s.dials[at] < math.MaxUint32 {
		s.dials[at]++
	}
}

// homecoming is when a connection is to be dialled again.
type homecoming struct {
	at   int64
	slot uint32
}

// returns are those to come, for container/heap.
type returns []homecoming

func (r returns) Len() int           { return len(r) }
func (r returns) Less(i, j int) bool { return r[i].at < r[j].at }
func (r returns) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *returns) Push(x any)        { *r = append(*r, x.(homecoming)) }

func (r *returns) Pop() any {
	old := *r
	x := old[len(old)-1]
	*r = old[:len(old)-1]
	return x
}
