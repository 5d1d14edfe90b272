package push

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// subscription is the data of pusher:subscribe and pusher:unsubscribe. Position
// is our addition: the last event of the channel that the client has had.
type subscription struct {
	Channel     string             `json:"channel"`
	Auth        string             `json:"auth"`
	ChannelData string             `json:"channel_data"`
	Position    *protocol.Position `json:"position"`

	member string          // user id; presence channels only
	info   json.RawMessage // of that user
}

// refusal is the data of pusher:subscription_error. Status borrows HTTP's
// numbers, as other servers of the protocol do.
type refusal struct {
	kind, msg string
	status    int
}

func (s *Server) subscribe(c *engine.Conn, ss *session, f protocol.Frame) {
	var d subscription
	if err := protocol.DecodeData(f.Data, &d); err != nil {
		s.fail(c, 0, `pusher:subscribe needs data {"channel":…}`)
		return
	}
	if ss.index(d.Channel) >= 0 {
		s.fail(c, 0, "existing subscription to channel "+d.Channel)
		return
	}
	r := s.checkSubscription(ss, &d)
	if r == nil {
		ch := ss.app.hub.hold(c.Engine(), d.Channel)
		var ok bool
		if ok, r = s.enter(c, ss, ch, &d); ok {
			ss.subs = append(ss.subs, membership{ch, d.member})
			return
		}
		ss.app.hub.release(ch)
	}
	if r != nil {
		s.counts.refusedSubs.Add(1)
		if r.status == http.StatusUnauthorized {
			s.refused("subscription", ss.app, addressOf(c.RemoteAddr()), clip(r.msg))
		}
		s.refuse(c, d.Channel, r)
	}
}

func (s *Server) checkSubscription(ss *session, d *subscription) *refusal {
	if n := len(ss.subs); n >= ss.app.now().Limits.MaxChannels {
		return &refusal{"LimitReached", fmt.Sprintf("connection has %d channels and may have %d: unsubscribe from some", n, ss.app.now().Limits.MaxChannels), http.StatusTooManyRequests}
	}
	if id, ok := protocol.UserOf(d.Channel); ok {
		if ss.user == nil || ss.user.id != id {
			return &refusal{"AuthError", "channel " + d.Channel + " is that of another user: sign in as that user first", http.StatusUnauthorized}
		}
		return nil
	}
	if err := protocol.CheckChannel(d.Channel); err != nil {
		return &refusal{"InvalidChannel", err.Error(), http.StatusBadRequest}
	}
	if !protocol.NeedsAuth(d.Channel) {
		return nil
	}
	if !ss.app.now().signed(d.Auth, func(secret string) string {
		return protocol.SignChannel(ss.app.Key, secret, ss.id.String(), d.Channel, d.ChannelData)
	}) {
		return &refusal{"AuthError", fmt.Sprintf("auth for channel %s is missing or wrong: sign socket_id:channel with the app's secret, as key:signature", d.Channel), http.StatusUnauthorized}
	}
	ss.authorized()
	if !protocol.IsPresence(d.Channel) {
		return nil
	}
	var r *refusal
	d.member, d.info, r = ss.app.parseMember(d.ChannelData)
	return r
}

// enter puts c into the channel and tells it so. Between what c is told and what
// it gets as a member of the topic nothing may come, so the bus holds the
// channel's events back meanwhile, and members those who come and go.
func (s *Server) enter(c *engine.Conn, ss *session, ch *channel, d *subscription) (ok bool, r *refusal) {
	if ch.heard != nil {
		<-ch.heard // once for many channels, and within seconds
	}
	keep := ss.app.retention(ch.name) // as events are published, whatever held when the channel became occupied
	if keep.Count == 0 {
		return s.join(c, ss, ch, d, nil)
	}
	ss.resumes.Store(true)
	at := Attachment{App: ss.app.ID, Channel: ch.name, Keep: keep, Since: d.Position, Last: protocol.IsCache(ch.name)}
	err := s.opts.Bus.Attach(context.Background(), at, func(replay Replay) {
		if !s.fits(c, replay.Missed) {
			replay.Recovered, replay.Missed = false, nil
		}
		ok, r = s.join(c, ss, ch, d, &replay)
	})
	if err != nil {
		s.opts.Logger.Error("history could not be read", "app", ss.app.now(), "channel", ch.name, "err", err)
		// Clients come back after a close of this code, and ask again: not so after a
		// refusal.
		s.disconnect(c, ss.legacy, protocol.CodeOverCapacity, "the history of a channel could not be read: try again later")
		return false, nil
	}
	return ok, r
}

// fits reports whether a replay leaves half of c's outbox free for what is live.
// One that does not would have the engine end the connection, which would come
// back and ask for the same again.
func (s *Server) fits(c *engine.Conn, missed []*Event) bool {
	const frame = 512 // at most around the data
	room := int(s.maxOutbox.Load())/2 - c.BufferedAmount()
	for _, e := range missed {
		room -= len(e.Data)*5/4 + frame
	}
	return room >= 0
}

func (s *Server) join(c *engine.Conn, ss *session, ch *channel, d *subscription, replay *Replay) (bool, *refusal) {
	if ch.members == nil {
		return s.confirm(c, ss, ch, nil, d, replay)
	}
	return ch.members.join(c, ss.app, ch, d.member, d.info, func(snapshot []byte) (bool, *refusal) {
		return s.confirm(c, ss, ch, snapshot, d, replay)
	})
}

// confirm sends the confirmation and what was missed, and makes c a member of the
// topic. It reports false when c is not, or no longer, open, as after a part of it
// was refused. What is sent here is queued before the first event can be.
func (s *Server) confirm(c *engine.Conn, ss *session, ch *channel, snapshot []byte, d *subscription, replay *Replay) (bool, *refusal) {
	var events []*Event
	var first protocol.Position
	if replay != nil {
		events, first = replayed(ch, replay)
	}
	frame := protocol.AppendFrame(nil, protocol.EventSubscribed, ch.name, protocol.AppendString(nil, string(confirmation(snapshot, replay, first))))
	// As with replays, a client that is ended by its own list would come back for it.
	if most := int(s.maxOutbox.Load()) / 2; snapshot != nil && len(frame) > most {
		return false, &refusal{"LimitReached", fmt.Sprintf("the list of members has %d bytes and may have %d, half of what may wait for a client: have fewer members, or tell less of them", len(frame), most), http.StatusRequestEntityTooLarge}
	}
	if !sendFrame(c, frame) {
		return false, nil
	}
	for _, e := range events {
		if !sendFrame(c, appendEvent(nil, e, ch.name, protocol.AppendString(nil, e.Data), ch.traced)) {
			return false, nil
		}
	}
	if replay != nil && protocol.IsCache(ch.name) && replay.Last == nil {
		if !s.send(c, protocol.EventCacheMiss, ch.name, nil) {
			return false, nil
		}
		ss.app.hooks.add(hookEvent{Name: hookCacheMiss, Channel: ch.name})
	}
	if replay != nil && d.Position != nil {
		s.countReplay(replay)
	}
	return ch.topic.Subscribe(c), nil
}

// confirmation is {} to whoever knows nothing but the protocol; a channel with
// history adds whether all that was missed follows, and the position that what
// follows begins after.
func confirmation(snapshot []byte, replay *Replay, first protocol.Position) []byte {
	if snapshot == nil && replay == nil {
		return []byte("{}")
	}
	b := []byte("{")
	if snapshot != nil {
		b = append(append(b, `"presence":`...), snapshot...)
	}
	if replay == nil {
		return append(b, '}')
	}
	if snapshot != nil {
		b = append(b, ',')
	}
	b = fmt.Appendf(b, `"recovered":%t}`, replay.Recovered)
	return protocol.AppendPosition(b, first)
}

// replayed returns the events that a new subscription gets before what is live,
// and the position before the first of them.
func replayed(ch *channel, r *Replay) (events []*Event, first protocol.Position) {
	events = r.Missed
	if !r.Recovered && protocol.IsCache(ch.name) && r.Last != nil {
		events = []*Event{r.Last}
	}
	first = r.Head
	if len(events) > 0 {
		first.Seq = events[0].Position.Seq - 1
	}
	return events, first
}

func (s *Server) countReplay(r *Replay) {
	if r.Recovered {
		s.counts.recovered.Add(1)
		s.counts.replayed.Add(int64(len(r.Missed)))
	} else {
		s.counts.unrecovered.Add(1)
	}
}

func (s *Server) refuse(c *engine.Conn, channel string, r *refusal) {
	data := fmt.Appendf(nil, `{"type":"%s","status":%d,"error":`, r.kind, r.status)
	data = append(protocol.AppendString(data, r.msg), '}')
	s.send(c, protocol.EventSubscriptionError, channel, protocol.AppendString(nil, string(data)))
}

// unsubscribe is silent, as the protocol has it, also for a channel that the
// connection wasn't subscribed to.
func (s *Server) unsubscribe(c *engine.Conn, ss *session, f protocol.Frame) {
	var d subscription
	if err := protocol.DecodeData(f.Data, &d); err != nil {
		s.fail(c, 0, `pusher:unsubscribe needs data {"channel":…}`)
		return
	}
	if i := ss.index(d.Channel); i >= 0 {
		ss.subs[i].ch.topic.Unsubscribe(c)
		ss.app.leave(ss.subs[i])
		ss.subs = slices.Delete(ss.subs, i, i+1)
	}
}

// leave ends a subscription whose connection has left the topic.
func (a *app) leave(m membership) {
	if m.ch.members != nil {
		m.ch.members.leave(a, m.member)
	}
	a.hub.release(m.ch)
}
