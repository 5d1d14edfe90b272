package loadtest

import "github.com/roost-ws/roost/codec"

// speaker makes a loop's messages, and knows them when they come back.
type speaker interface {
	// say appends message seq of c to the loop's out.
	say(c *conn, seq uint32)
	// check compares m, byte by byte, with message seq of c, and returns when that
	// was sent.
	check(c *conn, m codec.Message, seq uint32) (sent int64, err error)
	// stale reports whether m is, whole, a message of c's from before message first.
	stale(c *conn, m codec.Message, first uint32) bool
}

// stamps speaks in messages that carry their own number and time.
type stamps struct {
	*loop
	stamp *stamp
}

func (s stamps) say(c *conn, seq uint32) { s.sayStamped(c, s.stamp, seq, s.now) }

func (s stamps) check(c *conn, m codec.Message, seq uint32) (int64, error) {
	return s.stamp.check(m, s.id(c), seq)
}

func (s stamps) stale(c *conn, m codec.Message, first uint32) bool {
	id, seq, _, err := s.stamp.parse(m)
	return err == nil && id == s.id(c) && seq < first
}
