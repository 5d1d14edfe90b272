package engine

import (
	"sync/atomic"
)

// Stats are counts since the Engine began, and a few of now.
type Stats struct {
	Conns    int64  // now, handshakes included
	Accepted uint64 // TCP connections
	Opened   uint64 // WebSockets
	Rejected uint64 // handshakes refused, and connections above a limit
	Closed   uint64 // descriptors

	MessagesIn, MessagesOut uint64               // control frames included
	BytesIn, BytesOut       uint64               // in: as read; out: payloads, and with their headers what was published
	Dropped                 uint64               // messages refused by a full outbox, or by a topic for a member that was behind
	DroppedBy               [Conflate + 1]uint64 // of these, by the policy of the topic that did it

	// Delivery is how long it took from each Publish until all members on one loop had
	// been served; a Topic with members on several loops counts on each.
	Delivery Histogram

	Memory MemoryStats

	Panics  uint64 // contained
	Queued  int64  // connections that wait for a worker now
	Workers int64  // goroutines that run or wait for work now
}

// counters are one loop's share of Stats, on cache lines of their own.
type counters struct {
	_                                  [64]byte
	messagesIn, bytesIn                atomic.Uint64
	messagesOut, bytesOut              atomic.Uint64
	accepted, opened, rejected, closed atomic.Uint64
	dropped                            atomic.Uint64
	droppedBy                          [Conflate + 1]atomic.Uint64
	delivery                           spans // of the loop's goroutine
	_                                  [64]byte
}

func (n *counters) sent(messages, payload int) {
	n.messagesOut.Add(uint64(messages))
	n.bytesOut.Add(uint64(payload))
}

// tally collects a turn's counts, so that they cost two atomic additions a turn
// and not a message.
type tally struct{ messagesIn, bytesIn int }

func (t *tally) flush(n *counters) {
	if t.bytesIn != 0 {
		n.bytesIn.Add(uint64(t.bytesIn))
	}
	if t.messagesIn != 0 {
		n.messagesIn.Add(uint64(t.messagesIn))
	}
	*t = tally{}
}

// Stats returns the counts. Each is exact; together they are of slightly
// different moments.
func (e *Engine) Stats() Stats {
	s := Stats{Conns: e.conns.Load(), Panics: e.panics.Load()}
	b := &e.budget
	s.Memory = MemoryStats{Budget: b.limit, Full: b.level.Load() >= refusing, Paused: b.paused.Load(), Refused: b.refused.Load(), Shed: b.shed.Load()}
	for _, l := range e.loops {
		s.Memory.Used += l.bytes.Lent()
		n := &l.stats
		s.Accepted += n.accepted.Load()
		s.Opened += n.opened.Load()
		s.Rejected += n.rejected.Load()
		s.Closed += n.closed.Load()
		s.MessagesIn += n.messagesIn.Load()
		s.MessagesOut += n.messagesOut.Load()
		s.BytesIn += n.bytesIn.Load()
		s.BytesOut += n.bytesOut.Load()
		s.Dropped += n.dropped.Load()
		for i := range s.DroppedBy {
			s.DroppedBy[i] += n.droppedBy[i].Load()
		}
		for i := range s.Delivery {
			s.Delivery[i] += n.delivery[i].Load()
		}
	}
	if e.workers != nil {
		w := e.workers.Stats()
		s.Queued, s.Workers = int64(w.Queued), int64(w.Running)
	}
	return s
}
