package push

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// subscription is the data of pusher:subscribe and pusher:unsubscribe.
type subscription struct {
	Channel     string `json:"channel"`
	Auth        string `json:"auth"`
	ChannelData string `json:"channel_data"`
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
	if r := s.checkSubscription(ss, &d); r != nil {
		s.counts.refusedSubs.Add(1)
		s.refuse(c, d.Channel, r)
		return
	}
	// The confirmation is queued before the first event can be and leaves after
	// the handler has returned, when none can be missed any more.
	s.send(c, protocol.EventSubscribed, d.Channel, []byte(`"{}"`))
	if protocol.IsCache(d.Channel) {
		s.send(c, protocol.EventCacheMiss, d.Channel, nil) // nothing is cached
	}
	if ch := s.hub.join(c, d.Channel); ch != nil {
		ss.subs = append(ss.subs, ch)
	}
}

func (s *Server) checkSubscription(ss *session, d *subscription) *refusal {
	if err := protocol.CheckChannel(d.Channel); err != nil {
		return &refusal{"InvalidChannel", err.Error(), http.StatusBadRequest}
	}
	if len(ss.subs) >= s.opts.MaxChannels {
		return &refusal{"LimitReached", fmt.Sprintf("connection has %d channels and may have %d: unsubscribe from some", len(ss.subs), s.opts.MaxChannels), http.StatusTooManyRequests}
	}
	if protocol.IsPresence(d.Channel) {
		return &refusal{"NotSupported", "presence channels are not served: use a private channel", http.StatusNotImplemented}
	}
	if !protocol.NeedsAuth(d.Channel) {
		return nil
	}
	want := protocol.SignChannel(s.opts.App.Key, s.opts.App.Secret, ss.id.String(), d.Channel, d.ChannelData)
	if !protocol.Equal(d.Auth, want) {
		return &refusal{"AuthError", fmt.Sprintf("auth for channel %s is missing or wrong: sign socket_id:channel with the app's secret, as key:signature", d.Channel), http.StatusUnauthorized}
	}
	return nil
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
		s.hub.leave(c, ss.subs[i])
		ss.subs = slices.Delete(ss.subs, i, i+1)
	}
}
