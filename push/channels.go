package push

import (
	"net/http"
	"strings"

	"github.com/roost-ws/roost/push/protocol"
)

// info says which attributes a caller wants of channels.
type info struct{ asked, subscriptions bool }

// parseInfo reads a list as "subscription_count". user_count belongs to presence
// channels, which nobody can subscribe to.
func parseInfo(text string) (i info, err *httpError) {
	if text == "" {
		return i, nil
	}
	for _, name := range strings.Split(text, ",") {
		if name != "subscription_count" {
			return i, httpErrorf(http.StatusBadRequest, "info %q is not known for these channels: ask for subscription_count", clip(name))
		}
	}
	return info{asked: true, subscriptions: true}, nil
}

func attributes(subscribers int, i info) map[string]any {
	a := map[string]any{}
	if i.subscriptions {
		a["subscription_count"] = subscribers
	}
	return a
}

func (s *Server) infoOf(channels []string, i info) map[string]any {
	m := make(map[string]any, len(channels))
	for _, name := range channels {
		m[name] = attributes(s.hub.subscribers(name), i)
	}
	return m
}

// getChannels lists what is occupied on this server.
func (s *Server) getChannels(r *http.Request, _ []byte) (any, *httpError) {
	query := r.URL.Query()
	i, err := parseInfo(query.Get("info"))
	if err != nil {
		return nil, err
	}
	m := map[string]any{}
	s.hub.each(query.Get("filter_by_prefix"), func(name string, n int) { m[name] = attributes(n, i) })
	return map[string]any{"channels": m}, nil
}

func (s *Server) getChannel(r *http.Request, _ []byte) (any, *httpError) {
	name := r.PathValue("name")
	if err := protocol.CheckChannel(name); err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "%v", err)
	}
	i, err := parseInfo(r.URL.Query().Get("info"))
	if err != nil {
		return nil, err
	}
	n := s.hub.subscribers(name)
	a := attributes(n, i)
	a["occupied"] = n > 0
	return a, nil
}
