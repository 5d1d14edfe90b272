package engine

import (
	"errors"
	"fmt"
	"math"

	"github.com/roost-ws/roost/codec"
)

// MemberPolicy is what becomes of a message for a member of a topic that reads too
// slowly. Such a member never holds up the others, and those who keep up cost
// nothing more. Only whole messages are dropped, none of which a byte has left, and
// those that arrive keep the topic's order.
type MemberPolicy uint8

const (
	// ByConn leaves it to the connection's own MaxOutbox and SlowPolicy.
	ByConn MemberPolicy = iota
	// Disconnect closes the connection with Code. What waits for it is dropped, so
	// that the close frame is not behind what the peer did not read. Its
	// Handler.Error gets a *BehindError.
	Disconnect
	// DropOldest drops the topic's oldest messages that wait, until the new one fits.
	DropOldest
	// DropNewest drops the message that does not fit.
	DropNewest
	// Conflate keeps only the latest message of the topic waiting, however short the
	// line; MaxBehind means nothing. The latest arrives, or the connection ends: where
	// other output fills MaxOutbox, the connection's SlowPolicy decides.
	Conflate
)

// TopicOptions say what becomes of members that read too slowly. The zero value is
// NewTopic's.
type TopicOptions struct {
	Slow MemberPolicy
	// MaxBehind is the most bytes of this topic's messages, framing included, that may
	// wait in one member's outbox; 0 is no limit but the connection's MaxOutbox, which
	// holds in any case. A single message may always wait.
	MaxBehind int
	// Code and Reason are Disconnect's close frame; 0 is codec.CodePolicy (1008).
	Code   CloseCode
	Reason string
}

const unlimited = math.MaxInt / 2 // so that a sum with it is a number

func (o *TopicOptions) check() error {
	switch {
	case o.Slow > Conflate:
		return fmt.Errorf("engine: Slow %d: want one of the MemberPolicy constants", o.Slow)
	case o.MaxBehind < 0:
		return fmt.Errorf("engine: MaxBehind %d: want bytes, or 0 for the member's MaxOutbox", o.MaxBehind)
	case o.Slow != Disconnect && (o.Code != 0 || o.Reason != ""):
		return fmt.Errorf("engine: Code %d with Slow %d: only Disconnect closes with a code", o.Code, o.Slow)
	}
	if o.Slow == Disconnect && o.Code == 0 {
		o.Code = codec.CodePolicy
	}
	if o.MaxBehind == 0 {
		o.MaxBehind = unlimited
	}
	if o.Slow == Disconnect {
		if err := codec.CheckClose(o.Code, o.Reason); err != nil {
			return fmt.Errorf("engine: close of members that are behind: %w", err)
		}
	}
	return nil
}

// BehindError is what Handler.Error is told of a member that a topic disconnected.
type BehindError struct {
	Waiting int // bytes of the topic's messages that waited
	Queued  int // bytes of the whole outbox
	Size    int // of the message that was one too many
	Limit   int // MaxBehind, or MaxOutbox where that was reached first
}

func (e *BehindError) Error() string {
	return fmt.Sprintf("engine: member disconnected: %d bytes of its topic and %d in all wait, %d more would exceed %d: the peer reads too slowly, or raise MaxBehind and MaxOutbox",
		e.Waiting, e.Queued, e.Size, e.Limit)
}

// Is makes errors.Is(err, ErrBehind) hold for every BehindError.
func (e *BehindError) Is(target error) bool { return target == ErrBehind }

// ErrBehind is what errors.Is finds in a *BehindError.
var ErrBehind = errors.New("engine: member of a topic too far behind")

// TopicStats are a topic's counts since it was made.
type TopicStats struct {
	Members      int    // now
	Published    uint64 // messages
	Delivered    uint64 // of messages to members: with the kernel, or in the outbox, at the end of each pass
	Dropped      uint64 // of messages for members that were behind, also when the connection's SlowPolicy did it
	Disconnected uint64 // members that were behind, likewise
}

// Stats returns the counts.
func (t *Topic) Stats() TopicStats {
	s := TopicStats{Published: t.published.Load(), Disconnected: t.disconnected.Load()}
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		s.Members += len(p.seats) - p.gaps
		s.Delivered += p.served
		p.mu.Unlock()
	}
	// Served first, then dropped: read in this order, so that it is never above.
	s.Dropped = min(t.dropped.Load(), s.Delivered)
	s.Delivered -= s.Dropped
	return s
}
