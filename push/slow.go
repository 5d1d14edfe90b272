package push

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// Slow says what becomes of subscribers of a channel that read too slowly. The others
// never wait for them.
type Slow struct {
	// Policy is "disconnect" (the default: with 4150, so that clients come back and
	// resume), "drop_oldest", "drop_newest", or "conflate": only the latest event waits.
	// Presence channels always disconnect.
	Policy string `json:"policy"`
	// MaxBehind is the most bytes of the channel that may wait for one subscriber; 0 is
	// no limit but the connection's outbox.
	MaxBehind int `json:"max_behind"`
}

var slowPolicies = map[string]engine.MemberPolicy{
	"": engine.Disconnect, "disconnect": engine.Disconnect,
	"drop_oldest": engine.DropOldest, "drop_newest": engine.DropNewest, "conflate": engine.Conflate,
}

func (s Slow) check() error {
	if _, ok := slowPolicies[s.Policy]; !ok {
		return fmt.Errorf("slow policy %q is not known: write disconnect, drop_oldest, drop_newest or conflate", s.Policy)
	}
	if s.MaxBehind < 0 {
		return fmt.Errorf("max_behind %d is negative: write bytes, or 0 for the outbox's own limit", s.MaxBehind)
	}
	return nil
}

// slow is what becomes of those who read a channel too slowly. One who missed that a
// member went would show it for ever, so presence channels drop nothing.
func (a *app) slow(channel string) Slow {
	s := a.pattern(channel).Slow
	if protocol.IsPresence(channel) {
		s.Policy = "disconnect"
	}
	return s
}

// topic makes the topic of a channel under s, which was checked.
func (s Slow) topic(e *engine.Engine) *engine.Topic {
	o := engine.TopicOptions{Slow: slowPolicies[s.Policy], MaxBehind: s.MaxBehind}
	if o.Slow == engine.Disconnect {
		o.Code, o.Reason = protocol.CodeTooSlow, tooSlow
	}
	t, err := engine.NewTopicWith(e, o)
	if err != nil {
		panic(err) // not with what check lets in
	}
	return t
}

const tooSlow = "reads too slowly: come back and resume"

// slowCount is how often one policy was applied.
type slowCount struct {
	Policy string `json:"policy"`
	Count  uint64 `json:"count"`
}

// droppedBySlow counts the events that each policy kept from a subscriber.
func (s *Server) droppedBySlow() []slowCount {
	var n [engine.Conflate + 1]uint64
	if e := s.engine.Load(); e != nil {
		n = e.Stats().DroppedBy
	}
	return []slowCount{
		{"drop_oldest", n[engine.DropOldest]}, {"drop_newest", n[engine.DropNewest]}, {"conflate", n[engine.Conflate]},
	}
}

// slowness counts connections that were given up, and says so now and then.
type slowness struct {
	count atomic.Int64
	told  atomic.Int64 // unix seconds
}

// failed is the engine's Error.
func (s *Server) failed(c *engine.Conn, err error) {
	if !errors.Is(err, engine.ErrBehind) && !errors.Is(err, engine.ErrOutboxFull) {
		return
	}
	n := s.slow.count.Add(1)
	now, last := time.Now().Unix(), s.slow.told.Load()
	if now != last && s.slow.told.CompareAndSwap(last, now) { // one line a second at most
		s.opts.Logger.Warn("slow client disconnected", "remote", addressOf(c.RemoteAddr()), "err", err, "disconnected_so_far", n)
	}
}
