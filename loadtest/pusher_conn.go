package loadtest

import (
	"fmt"
	"time"

	"github.com/roost-ws/roost/codec"
)

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
		h.failures.add(connOpen, &failure{cause: causePusherError, status: d.Code, err: fmt.Errorf("%.200s", d.Message)})
		return
	}
	h.refused++
	h.failures.add(connOpen, &failure{cause: causeSubscription, status: d.Status, err: fmt.Errorf("%s: %.200s%.200s", f.channel, d.Error, d.Message)})
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
		h.subs[int(c.slot)*h.p.Subscriptions+j].confirmed = false
	}
}

// pingsApart spreads pings over the loop's connections, so that each speaks twice as often as it
// has to: servers that are not asked to ping end those that are silent.
func (h *pusher) pingsApart() int64 {
	return max(1, int64(h.alive/2)/int64(len(h.conns)))
}

var pingFrame = []byte(`{"event":"pusher:ping","data":{}}`)

// tick pings those whose turn it is.
func (h *pusher) tick() int64 {
	for range sendsPerTick {
		if h.now < h.nextPing {
			return h.nextPing
		}
		if c := &h.loop.conns[h.pinged]; c.state == connOpen && h.conns[h.pinged].greeted {
			h.say(c, codec.Text, pingFrame)
			h.flush(c)
		}
		h.pinged = (h.pinged + 1) % len(h.conns)
		h.nextPing += h.pingsApart()
	}
	return h.now
}

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
// what they should have got.
func (h *pusher) missing(sent []uint32, excused map[uint32][]uint32) (lost, expected uint64) {
	for slot := range h.conns {
		c := &h.loop.conns[slot]
		if c.state != connOpen {
			continue
		}
		for j := range h.p.Subscriptions {
			sub := &h.subs[slot*h.p.Subscriptions+j]
			if !sub.counts || !sub.confirmed {
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
