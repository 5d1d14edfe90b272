package push

import (
	"net/http"
	"strings"

	"github.com/roost-ws/roost/push/protocol"
)

// info says which attributes a caller wants of channels.
type info struct{ asked, subscriptions, users bool }

// parseInfo reads a list as "subscription_count,user_count". presence tells
// whether the channels asked about are presence channels: only they have users.
func parseInfo(text string, presence bool) (i info, err *httpError) {
	if text == "" {
		return i, nil
	}
	i.asked = true
	for _, name := range strings.Split(text, ",") {
		switch {
		case name == "subscription_count":
			i.subscriptions = true
		case name == "user_count" && presence:
			i.users = true
		case name == "user_count":
			return i, httpErrorf(http.StatusBadRequest, "user_count is known of presence channels only: ask for those, with filter_by_prefix=presence- in a list")
		case name == "cache":
			return i, httpErrorf(http.StatusBadRequest, "info cache is not served: subscribe to the channel to get its last event")
		default:
			return i, httpErrorf(http.StatusBadRequest, "info %q is not known: ask for subscription_count or user_count", clip(name))
		}
	}
	return i, nil
}

// attributes of a channel, over all servers.
func (a *app) attributes(channel string, subscribers int, i info) map[string]any {
	m := map[string]any{}
	if i.subscriptions {
		m["subscription_count"] = subscribers
	}
	if i.users {
		m["user_count"] = 0
		if members := a.presences.find(channel); members != nil {
			m["user_count"] = members.count()
		}
	}
	return m
}

func (a *app) infoOf(channels []string, text string) (map[string]any, *httpError) {
	m := make(map[string]any, len(channels))
	for _, name := range channels {
		i, err := parseInfo(text, protocol.IsPresence(name))
		if err != nil {
			return nil, err
		}
		m[name] = a.attributes(name, a.subscribers(name), i)
	}
	return m, nil
}

// getChannels lists what is occupied on any server.
func (s *Server) getChannels(a *app, r *http.Request, _ []byte) (any, *httpError) {
	query := r.URL.Query()
	prefix := query.Get("filter_by_prefix")
	i, err := parseInfo(query.Get("info"), protocol.IsPresence(prefix))
	if err != nil {
		return nil, err
	}
	m := map[string]any{}
	for name, n := range a.occupied(prefix) {
		m[name] = a.attributes(name, n, i)
	}
	return map[string]any{"channels": m}, nil
}

func (s *Server) getChannel(a *app, r *http.Request, _ []byte) (any, *httpError) {
	name := r.PathValue("name")
	if err := protocol.CheckChannel(name); err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "%v", err)
	}
	i, err := parseInfo(r.URL.Query().Get("info"), protocol.IsPresence(name))
	if err != nil {
		return nil, err
	}
	n := a.subscribers(name)
	answer := a.attributes(name, n, i)
	answer["occupied"] = n > 0
	return answer, nil
}

// getUsers lists who is in a presence channel.
func (s *Server) getUsers(a *app, r *http.Request, _ []byte) (any, *httpError) {
	name := r.PathValue("name")
	if err := protocol.CheckChannel(name); err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "%v", err)
	}
	if !protocol.IsPresence(name) {
		return nil, httpErrorf(http.StatusBadRequest, "channel %s has no users: ask for a presence channel", name)
	}
	type user struct {
		ID string `json:"id"`
	}
	users := []user{}
	if m := a.presences.find(name); m != nil {
		for _, id := range m.list() {
			users = append(users, user{id})
		}
	}
	return map[string]any{"users": users}, nil
}

// postTerminate ends the connections of a user, on every server.
func (s *Server) postTerminate(a *app, r *http.Request, _ []byte) (any, *httpError) {
	id := r.PathValue("user")
	if err := protocol.CheckUserID(id); err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "%v", err)
	}
	if err := s.opts.Bus.Publish(r.Context(), &Event{App: a.ID, Terminate: id}); err != nil {
		s.counts.busErrors.Add(1)
		s.opts.Logger.Error("termination failed", "app", a.now(), "err", err)
		return nil, httpErrorf(http.StatusServiceUnavailable, "the other servers could not be told: try again")
	}
	return struct{}{}, nil
}
