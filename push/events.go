package push

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/roost-ws/roost/push/protocol"
)

// Limits of the HTTP API, as Pusher documents them.
const (
	maxEventChannels = 100
	maxBatch         = 10
)

// maxBody has room for the data with every byte escaped (\u00xx), and the names.
func (s *Server) maxBody(path string) int64 {
	n := int64(6*s.opts.MaxData + maxEventChannels*(protocol.MaxChannelName+8) + 6*protocol.MaxEventName + 1<<10)
	if strings.HasSuffix(path, "/batch_events") {
		n *= maxBatch
	}
	return n
}

// publication is one event in a request's body.
type publication struct {
	Name     string          `json:"name"`
	Data     json.RawMessage `json:"data"`
	Channels []string        `json:"channels"`
	Channel  string          `json:"channel"`
	SocketID string          `json:"socket_id"`
	Info     string          `json:"info"`
}

// event returns what p publishes, checked.
func (s *Server) event(p *publication) (*Event, *httpError) {
	if len(p.Data) == 0 || string(p.Data) == "null" {
		return nil, httpErrorf(http.StatusBadRequest, "event has no data: send it as a string, perhaps an empty one")
	}
	data, err := protocol.DataString(p.Data)
	if err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "data is no JSON string: %v", err)
	}
	e := &Event{App: s.opts.App.ID, Channels: p.Channels, Name: p.Name, Data: data, Except: p.SocketID}
	if p.Channel != "" {
		e.Channels = append(e.Channels, p.Channel)
	}
	if err := s.checkEvent(e); err != nil {
		return nil, err.(*httpError)
	}
	return e, nil
}

// checkEvent holds e against the limits and drops repeated channels. The error
// is an *httpError; it is nil as an error when there is none.
func (s *Server) checkEvent(e *Event) error {
	if err := protocol.CheckEvent(e.Name); err != nil {
		return httpErrorf(http.StatusBadRequest, "%v", err)
	}
	if len(e.Data) > s.opts.MaxData {
		return httpErrorf(http.StatusRequestEntityTooLarge, "data has %d bytes and may have %d: send less, or a link to the rest", len(e.Data), s.opts.MaxData)
	}
	if n := len(e.Channels); n == 0 || n > maxEventChannels {
		return httpErrorf(http.StatusBadRequest, "event has %d channels and may have 1 to %d: send several events", n, maxEventChannels)
	}
	unique := make([]string, 0, len(e.Channels))
	for _, name := range e.Channels {
		if err := protocol.CheckChannel(name); err != nil {
			return httpErrorf(http.StatusBadRequest, "%v", err)
		}
		if !slices.Contains(unique, name) {
			unique = append(unique, name)
		}
	}
	e.Channels = unique
	if _, ok := parseSocketID(e.Except); e.Except != "" && !ok {
		return httpErrorf(http.StatusBadRequest, "socket_id %q is none: it looks like 1234.5678", clip(e.Except))
	}
	return nil
}

// publishAll stops at the first failure of the bus; the events before it are out.
func (s *Server) publishAll(ctx context.Context, events []*Event) *httpError {
	for _, e := range events {
		if err := s.publish(ctx, e); err != nil {
			s.opts.Logger.Error("publication failed", "app", s.opts.App, "event", e.Name, "error", err)
			return httpErrorf(http.StatusServiceUnavailable, "the event could not be handed to the other servers: try again")
		}
	}
	return nil
}

func (s *Server) postEvents(r *http.Request, body []byte) (any, *httpError) {
	var p publication
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "body is no event: %v", err)
	}
	e, err := s.event(&p)
	if err != nil {
		return nil, err
	}
	info, err := parseInfo(p.Info)
	if err != nil {
		return nil, err
	}
	if err := s.publishAll(r.Context(), []*Event{e}); err != nil {
		return nil, err
	}
	if !info.asked {
		return struct{}{}, nil
	}
	return map[string]any{"channels": s.infoOf(e.Channels, info)}, nil
}

// postBatch checks every event before it publishes the first.
func (s *Server) postBatch(r *http.Request, body []byte) (any, *httpError) {
	var b struct {
		Batch []publication `json:"batch"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "body is no batch of events: %v", err)
	}
	if n := len(b.Batch); n == 0 || n > maxBatch {
		return nil, httpErrorf(http.StatusBadRequest, "batch has %d events and may have 1 to %d: send several batches", n, maxBatch)
	}
	events := make([]*Event, len(b.Batch))
	for i := range b.Batch {
		e, err := s.event(&b.Batch[i])
		if err != nil {
			return nil, httpErrorf(err.status, "event %d of the batch: %s", i, err.msg)
		}
		events[i] = e
	}
	if err := s.publishAll(r.Context(), events); err != nil {
		return nil, err
	}
	return struct{}{}, nil
}
