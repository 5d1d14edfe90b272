package push

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/roost-ws/roost/engine"
)

// session is what a connection has from its greeting to its end: its Conn's
// Data. What changes belongs to the handler, which runs once at a time.
type session struct {
	app     *app        // never changes, as id and legacy
	id      socketID    //
	legacy  bool        // doesn't read close codes
	resumes atomic.Bool // it was, or may have been, subscribed to a channel with history; any goroutine reads it

	messages bucket
	events   bucket // client events
	subs     []membership
	user     *user       // signed in as; nil when not
	auth     *time.Timer // of AuthTimeout, while it runs
}

// membership is one subscription; member is the user id in a presence channel.
type membership struct {
	ch     *channel
	member string
}

// sessionOf returns nil for a connection that was refused or not yet greeted.
func sessionOf(c *engine.Conn) *session {
	ss, _ := c.Data().(*session)
	return ss
}

func (ss *session) index(name string) int {
	return slices.IndexFunc(ss.subs, func(m membership) bool { return m.ch.name == name })
}

// authorized ends the wait of AuthTimeout.
func (ss *session) authorized() {
	if ss.auth != nil {
		ss.auth.Stop()
		ss.auth = nil
	}
}
