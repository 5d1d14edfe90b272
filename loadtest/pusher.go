package loadtest

import (
	"fmt"
	"time"

	"github.com/roost-ws/roost/codec"
)

// pusherConn is a connection's state at a Pusher server.
type pusherConn struct {
	answered uint32 // subscriptions confirmed or refused since it was greeted
	refused  uint32 // of these
	greeted  bool
}

// subscription is what a connection has of one channel.
type subscription struct {
	order     sequence
	at        uint64 // the last position's sequence
	epoch     uint32 // and its epoch, an index into the loop's
	confirmed bool   // by the server, on the connection that stands
	refused   bool   // likewise
	counts    bool   // it was confirmed when publishing began: what it does not get is lost
}

// pusher speaks the protocol on one loop's connections. It is the part of a script
// that push and storm have in common.
type pusher struct {
	*loop
	p        *Pusher
	stamp    *eventStamp
	schedule *schedule // nil while nothing is published
	conns    []pusherConn
	subs     []subscription    // slot × Subscriptions + j
	ready    int               // connections all of whose subscriptions are answered
	refused  int               // subscriptions
	epochs   []string          // [0] is none
	epochOf  map[string]uint32 //
	alive    keepalive

	frame                                         pusherFrame
	heard, duplicates, reordered                  uint64 // events
	measured                                      uint64 // of heard, each once
	latest                                        int64  // when the last of these came
	complete                                      uint64 // events whose last receiver is on this loop
	recovered, unrecovered                        uint64 // subscriptions that resumed
	corrected, raw, first, median, last, baseline *latency

	stands func(*conn) // told when all of a connection's subscriptions are confirmed; may be nil
}

// activityTimeout is what a server that names none expects, and the most.
const activityTimeout = 120 * time.Second

func newPusher(l *loop, p *Pusher, s *eventStamp) *pusher {
	h := &pusher{
		loop: l, p: p, stamp: s, conns: make([]pusherConn, len(l.conns)), subs: make([]subscription, len(l.conns)*p.Subscriptions),
		epochs: []string{""}, epochOf: make(map[string]uint32),
		corrected: newLatency(), raw: newLatency(), first: newLatency(), median: newLatency(), last: newLatency(), baseline: newLatency(),
	}
	h.alive = keepalive{loop: l, every: activityTimeout / 2, next: never, ping: h.ping}
	return h
}

// number is c's number among this process's connections.
func (h *pusher) number(c *conn) uint32 { return c.slot*uint32(h.loops) + uint32(h.index) }

func (h *pusher) message(c *conn, m codec.Message) error {
	if err := h.frame.parse(m.Payload); err != nil {
		return &failure{cause: causePusher, err: fmt.Errorf("%w: %.80q", err, m.Payload)}
	}
	switch f := &h.frame; string(f.event) {
	case eventName, clientEventName:
		return h.event(c, f)
	default:
		return h.control(c, f)
	}
}

// Names of the events that are published.
const (
	eventName       = "loadtest"
	clientEventName = "client-loadtest"
)

// event takes what was published. It is the path on which nothing is allocated.
func (h *pusher) event(c *conn, f *pusherFrame) error {
	e, err := h.stamp.parse(f.plain())
	if err == nil && (int(e.channel) >= len(h.p.names) || string(f.channel) != h.p.names[e.channel]) {
		err = fmt.Errorf("event %d of channel %d came as one of channel %q", e.seq, e.channel, f.channel)
	}
	id, j := h.number(c), 0
	if err == nil {
		if j = h.p.subscriptionOf(id, e.channel); j >= h.p.Subscriptions || !h.p.hears(id, e.channel) {
			err = fmt.Errorf("an event of channel %q came to a connection that should not get it", f.channel)
		}
	}
	if err == nil && (h.schedule == nil || h.schedule.dueAt(e.number) > h.now) {
		err = errUnasked
	}
	if err != nil {
		return &failure{cause: causeCorrupt, err: err}
	}
	h.messages++
	h.heard++
	sub := &h.subs[int(c.slot)*h.p.Subscriptions+j]
	if len(f.epoch) > 0 {
		sub.at, sub.epoch = f.seq, h.epoch(f.epoch)
	}
	if !sub.counts {
		return nil
	}
	switch sub.order.take(e.seq) {
	case duplicate:
		h.duplicates++
		return nil
	case reordered:
		h.reordered++
	}
	h.time(e)
	return nil
}

// time takes the latencies of an event that came for the first time.
func (h *pusher) time(e eventHead) {
	if e.number < h.schedule.from || e.number >= h.schedule.end {
		if e.number >= h.schedule.baseFrom && e.number < h.schedule.baseEnd {
			h.baseline.record(h.now - h.schedule.dueAt(e.number))
		}
		return
	}
	h.measured++
	h.latest = h.now
	took := h.now - h.schedule.dueAt(e.number)
	h.corrected.record(took)
	h.raw.record(h.now - e.left)
	h.recent.record(took)
	n, of := h.schedule.arrived(e.number, e.channel)
	if n == 1 {
		h.first.record(took)
	}
	if n > 0 && n == (of+1)/2 {
		h.median.record(took)
	}
	if n > 0 && n == of {
		h.last.record(took)
		h.complete++
	}
}

// epoch is the number of an epoch, which is new once a channel and restart.
func (h *pusher) epoch(name []byte) uint32 {
	if n, ok := h.epochOf[string(name)]; ok {
		return n
	}
	if len(h.epochs) >= maxChannels {
		return 0 // no server has as many; it can't resume
	}
	n := uint32(len(h.epochs))
	h.epochs = append(h.epochs, string(name))
	h.epochOf[h.epochs[n]] = n
	return n
}

// control answers what the protocol itself says.
func (h *pusher) control(c *conn, f *pusherFrame) error {
	switch string(f.event) {
	case "pusher:connection_established":
		return h.greeted(c, f)
	case "pusher:ping":
		h.say(c, codec.Text, []byte(`{"event":"pusher:pong","data":{}}`))
	case "pusher_internal:subscription_succeeded":
		return h.confirmed(c, f)
	case "pusher:subscription_error", "pusher:error":
		h.error(c, f)
	}
	return nil // members that come and go, and what other servers add
}
