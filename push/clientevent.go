package push

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// clientPrefix begins the names of events that clients send to each other.
const clientPrefix = "client-"

// clientEvent passes an event on to the other subscribers of a channel. It is
// not kept in the channel's history.
func (s *Server) clientEvent(c *engine.Conn, ss *session, f protocol.Frame) {
	e, i, err := s.checkClientEvent(ss, f)
	if err != nil {
		s.counts.refusedEvents.Add(1)
		s.fail(c, 0, err.Error())
		return
	}
	rate := ss.app.now().Limits.ClientEventRate
	if !ss.events.allow(time.Since(s.start), time.Second/time.Duration(rate), rate, 1) {
		s.counts.refusedEvents.Add(1)
		s.fail(c, protocol.CodeClientEvent, fmt.Sprintf("more than %d client events a second: send fewer", rate))
		return
	}
	if err := s.publish(context.Background(), e); err != nil {
		s.opts.Logger.Error("client event failed", "app", ss.app.now(), "event", e.Name, "err", err)
		s.fail(c, 0, unpublished(err).Error())
		return
	}
	s.counts.clientEvents.Add(1)
	ss.app.hooks.add(hookEvent{Name: hookClientEvent, Channel: f.Channel, Event: e.Name, Data: e.Data, SocketID: e.Except, UserID: ss.subs[i].member})
}

// checkClientEvent returns the event and which of the subscriptions it is for.
func (s *Server) checkClientEvent(ss *session, f protocol.Frame) (*Event, int, error) {
	if !ss.app.now().ClientEvents {
		return nil, 0, fmt.Errorf("client events are not enabled for this app: publish over the HTTP API, or enable them")
	}
	if !protocol.NeedsAuth(f.Channel) || protocol.IsEncrypted(f.Channel) {
		return nil, 0, fmt.Errorf("channel %q takes no client events: use a private or presence channel that is not encrypted", clip(f.Channel))
	}
	i := ss.index(f.Channel)
	if i < 0 {
		return nil, 0, fmt.Errorf("connection is not subscribed to channel %q: subscribe first", clip(f.Channel))
	}
	if err := protocol.CheckEvent(f.Event); err != nil {
		return nil, 0, err
	}
	data, err := protocol.DataString(f.Data)
	if err != nil {
		return nil, 0, fmt.Errorf("data is no JSON string: %w", err)
	}
	if n := len(data); n > ss.app.now().Limits.MaxData {
		return nil, 0, fmt.Errorf("data has %d bytes and may have %d: send less", n, ss.app.now().Limits.MaxData)
	}
	return &Event{
		App: ss.app.ID, Channels: []string{ss.subs[i].ch.name}, Name: strings.Clone(f.Event), Data: data,
		Except: ss.id.String(), UserID: ss.subs[i].member,
	}, i, nil
}
