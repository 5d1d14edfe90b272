package loadtest

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/roost-ws/roost/codec"
)

func (h *pusher) greeted(c *conn, f *pusherFrame) error {
	var hello struct {
		SocketID string `json:"socket_id"`
		Activity int    `json:"activity_timeout"`
	}
	if err := f.decode(&hello); err != nil || hello.SocketID == "" {
		return &failure{cause: causePusher, err: fmt.Errorf("the greeting has no socket_id: %.80q", f.data)}
	}
	h.conns[c.slot] = pusherConn{greeted: true}
	if d := time.Duration(hello.Activity) * time.Second; d > 0 {
		// Each speaks twice as often as it has to: servers that are not asked to ping end those that are silent.
		h.alive.every = min(h.alive.every, d/2)
	}
	h.alive.begin()
	id := h.number(c)
	for j := range h.p.Subscriptions {
		sub := &h.subs[int(c.slot)*h.p.Subscriptions+j]
		epoch := ""
		if h.p.Resume {
			epoch = h.epochs[sub.epoch]
		}
		h.plain = h.p.subscribe(h.plain[:0], id, h.p.channelOf(id, j), hello.SocketID, epoch, sub.at)
		h.say(c, codec.Text, h.plain)
	}
	return nil
}

// subscriptionIn is c's subscription to the channel that a frame names.
func (h *pusher) subscriptionIn(c *conn, channel []byte) *subscription {
	i := bytes.LastIndexByte(channel, '-')
	n, err := strconv.ParseUint(string(channel[i+1:]), 10, 32)
	if err != nil || n >= uint64(len(h.p.names)) || h.p.names[n] != string(channel) {
		return nil
	}
	j := h.p.subscriptionOf(h.number(c), uint32(n))
	if j >= h.p.Subscriptions {
		return nil
	}
	return &h.subs[int(c.slot)*h.p.Subscriptions+j]
}

// confirmed takes the server's word that a subscription stands, and what it says of
// the channel's history.
func (h *pusher) confirmed(c *conn, f *pusherFrame) error {
	sub := h.subscriptionIn(c, f.channel)
	if sub == nil || sub.confirmed {
		return &failure{cause: causePusher, err: fmt.Errorf("a subscription to %q is confirmed that nobody asked for", f.channel)}
	}
	sub.confirmed = true
	h.answer(c)
	if !h.p.Resume {
		return nil
	}
	var d struct {
		Recovered bool `json:"recovered"`
		Position  *struct {
			Epoch string `json:"epoch"`
			Seq   uint64 `json:"seq"`
		} `json:"position"`
	}
	if err := f.decode(&d); err != nil {
		return &failure{cause: causePusher, err: fmt.Errorf("the confirmation of %q: %w", f.channel, err)}
	}
	switch {
	case sub.epoch == 0:
	case d.Recovered:
		h.recovered++
	default:
		h.unrecovered++
	}
	if sub.epoch = 0; d.Position != nil {
		sub.epoch, sub.at = h.epoch([]byte(d.Position.Epoch)), d.Position.Seq
	}
	return nil
}

// answer counts a subscription that the server has decided about.
func (h *pusher) answer(c *conn) {
	st := &h.conns[c.slot]
	if st.answered++; int(st.answered) == h.p.Subscriptions {
		h.ready++
		if h.stands != nil && st.refused == 0 {
			h.stands(c)
		}
	}
}

// error takes a refusal that leaves the connection open.
func (h *pusher) error(c *conn, f *pusherFrame) {
	var d struct {
		Code    int    `json:"code"`
		Status  int    `json:"status"`
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	if f.decode(&d) != nil {
		d.Message = string(f.data)
	}
	if string(f.event) == "pusher:error" {
		h.failures.add(connOpen, &failure{cause: causePusherError, status: d.Code, err: fmt.Errorf("%.200q", d.Message)})
		return
	}
	h.refused++
	h.conns[c.slot].refused++
	if sub := h.subscriptionIn(c, f.channel); sub != nil {
		sub.refused = true
	}
	h.failures.add(connOpen, &failure{cause: causeSubscription, status: d.Status, err: fmt.Errorf("%.200q: %.200q", f.channel, d.Error+d.Message)})
	h.answer(c)
}

// closed forgets what the connection had; its subscriptions keep what they got.
func (h *pusher) closed(c *conn) {
	st := &h.conns[c.slot]
	if int(st.answered) >= h.p.Subscriptions {
		h.ready--
	}
	*st = pusherConn{}
	for j := range h.p.Subscriptions {
		sub := &h.subs[int(c.slot)*h.p.Subscriptions+j]
		sub.confirmed, sub.refused = false, false
	}
}

var pingFrame = []byte(`{"event":"pusher:ping","data":{}}`)

// ping asks for an answer, in the protocol's own way.
func (h *pusher) ping(c *conn) {
	if h.conns[c.slot].greeted {
		h.say(c, codec.Text, pingFrame)
		h.flush(c)
	}
}

func (h *pusher) tick() int64 { return h.alive.tick() }

// enlist makes what was confirmed count, and adds it to the channels' receivers. No loop
// may have the schedule yet.
func (h *pusher) enlist(s *schedule) {
	for slot := range h.conns {
		for j := range h.p.Subscriptions {
			sub := &h.subs[slot*h.p.Subscriptions+j]
			slow := h.slow.has(h.id(&h.loop.conns[slot]))
			id := h.number(&h.loop.conns[slot])
			c := h.p.channelOf(id, j)
			if sub.counts = sub.confirmed && !slow && h.p.hears(id, c); sub.counts {
				s.receivers[c]++
			}
		}
	}
}

// schedules gives all loops the schedule that is published.
func schedules(d *driver, all []*pusher, s *schedule) {
	d.each(func(l *loop) { all[l.index].enlist(s) })
	d.each(func(l *loop) { all[l.index].schedule = s })
}

// missing counts what the connections that stand should have got and did not, and
// what they should have got. What a subscription missed that is refused now, it has lost.
func (h *pusher) missing(sent []uint32, excused map[uint32][]uint32) (lost, expected uint64) {
	for slot := range h.conns {
		c := &h.loop.conns[slot]
		if c.state != connOpen {
			continue
		}
		for j := range h.p.Subscriptions {
			sub := &h.subs[slot*h.p.Subscriptions+j]
			if !sub.counts || !sub.confirmed && !sub.refused {
				continue
			}
			channel := h.p.channelOf(h.number(c), j)
			lost += sub.order.missing(sent[channel], excused[channel])
			expected += uint64(sent[channel]) - uint64(len(excused[channel]))
		}
	}
	return lost, expected
}

// subscribed waits until every connection that stands has its subscriptions
// answered, or none was for as long as a handshake may take.
func subscribed(d *driver, all []*pusher) {
	last, since := -1, time.Now()
	for d.ctx.Err() == nil {
		ready, open := 0, 0
		d.each(func(l *loop) {
			ready += all[l.index].ready
			open += l.open
		})
		if ready >= open {
			return
		}
		if ready != last {
			last, since = ready, time.Now()
		} else if time.Since(since) > d.o.Timeout {
			return
		}
		d.wait("subscribe", closePoll, nil)
	}
}
