package push

import (
	"slices"
	"time"

	"github.com/roost-ws/roost/engine"
)

// session is what a connection has from its greeting to its end: its Conn's
// Data. What changes belongs to the handler, which runs once at a time.
type session struct {
	id     socketID      // never changes, as legacy
	due    time.Duration // since the server's start: when its messages so far are paid for
	subs   []*channel
	legacy bool // doesn't read close codes
}

// sessionOf returns nil for a connection that was refused or not yet greeted.
func sessionOf(c *engine.Conn) *session {
	ss, _ := c.Data().(*session)
	return ss
}

// allow reports whether one more message at now keeps to a burst and, lasting, to
// one message an interval. (The generic cell rate algorithm: a token bucket in
// one word.)
func (ss *session) allow(now, interval time.Duration, burst int) bool {
	due := max(ss.due, now)
	if due-now > interval*time.Duration(burst-1) {
		return false
	}
	ss.due = due + interval
	return true
}

func (ss *session) index(name string) int {
	return slices.IndexFunc(ss.subs, func(ch *channel) bool { return ch.name == name })
}
