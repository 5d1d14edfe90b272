package push

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// maxBody has room for the data with every byte escaped (\u00xx), and the names.
func (a *app) maxBody(path string) int64 {
	l := &a.now().Limits
	n := int64(6*l.MaxData + l.MaxEventChannels*(protocol.MaxChannelName+8) + 6*protocol.MaxEventName + 1<<10)
	if strings.HasSuffix(path, "/batch_events") {
		n *= int64(l.MaxBatch)
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
func (a *app) event(p *publication) (*Event, *httpError) {
	if len(p.Data) == 0 || string(p.Data) == "null" {
		return nil, httpErrorf(http.StatusBadRequest, "event has no data: send it as a string, perhaps an empty one")
	}
	data, err := protocol.DataString(p.Data)
	if err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "data is no JSON string: %v", err)
	}
	e := &Event{App: a.ID, Channels: p.Channels, Name: p.Name, Data: data, Except: p.SocketID}
	if p.Channel != "" {
		e.Channels = append(e.Channels, p.Channel)
	}
	if err := a.checkEvent(e); err != nil {
		return nil, err.(*httpError)
	}
	if p.Info != "" {
		if _, err := a.infoOf(e.Channels, p.Info); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// checkEvent holds e against the limits and drops repeated channels. The error
// is an *httpError; it is nil as an error when there is none.
func (a *app) checkEvent(e *Event) error {
	if err := protocol.CheckEvent(e.Name); err != nil {
		return httpErrorf(http.StatusBadRequest, "%v", err)
	}
	if n, most := len(e.Data), a.now().Limits.MaxData; n > most {
		return httpErrorf(http.StatusRequestEntityTooLarge, "data has %d bytes and may have %d: send less, or a link to the rest", n, most)
	}
	if n, most := len(e.Channels), a.now().Limits.MaxEventChannels; n == 0 || n > most {
		return httpErrorf(http.StatusBadRequest, "event has %d channels and may have 1 to %d: send several events", n, most)
	}
	unique := make([]string, 0, len(e.Channels))
	for _, name := range e.Channels {
		if err := checkTarget(name); err != nil {
			return httpErrorf(http.StatusBadRequest, "%v", err)
		}
		if !slices.Contains(unique, name) {
			unique = append(unique, name)
		}
	}
	e.Channels = unique
	if len(unique) > 1 && slices.ContainsFunc(unique, protocol.IsEncrypted) {
		return httpErrorf(http.StatusBadRequest, "an event for an encrypted channel can have no other channel: each has a key of its own")
	}
	if e.Except == "" {
		return nil
	}
	if _, ok := parseSocketID(e.Except); !ok {
		return httpErrorf(http.StatusBadRequest, "socket_id %q is none: it looks like 1234.5678", clip(e.Except))
	}
	return nil
}

// checkTarget checks where an event is to go: a channel, or a user's own.
func checkTarget(name string) error {
	if id, ok := protocol.UserOf(name); ok {
		return protocol.CheckUserID(id)
	}
	return protocol.CheckChannel(name)
}

// publishAll stops at the first failure of the bus; the events before it are out.
func (s *Server) publishAll(ctx context.Context, a *app, events []*Event) *httpError {
	if err := a.allowEvents(time.Since(s.start), len(events)); err != nil {
		return err
	}
	ctx, end := s.tracer.request(ctx, a, len(events))
	defer end()
	begun := time.Now()
	defer func() { s.counts.publishing.Observe(time.Since(begun).Seconds()) }()
	for _, e := range events {
		if err := s.publish(ctx, a.split(e)...); err != nil {
			s.opts.Logger.Error("publication failed", "app", a.now(), "event", e.Name, "error", err)
			return unpublished(err)
		}
	}
	return nil
}

// unpublished is what a publisher is told of the bus's error.
func unpublished(err error) *httpError {
	if large, is := errors.AsType[*TooLargeError](err); is {
		return httpErrorf(http.StatusRequestEntityTooLarge, "%v", large)
	}
	return httpErrorf(http.StatusServiceUnavailable, "the event could not be handed to the other servers: try again")
}

func (s *Server) postEvents(a *app, r *http.Request, body []byte) (any, *httpError) {
	var p publication
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "body is no event: %v", err)
	}
	e, err := a.event(&p)
	if err != nil {
		return nil, err
	}
	if e.ID, err = idempotencyKey(r); err != nil {
		return nil, err
	}
	if err := s.publishAll(withTrace(r.Context(), r.Header), a, []*Event{e}); err != nil {
		return nil, err
	}
	if p.Info == "" {
		return struct{}{}, nil
	}
	channels, err := a.infoOf(e.Channels, p.Info)
	return map[string]any{"channels": channels}, err
}

// idempotencyKey is what a backend sends with each try of one publication, so that
// a channel with history has it once.
func idempotencyKey(r *http.Request) (string, *httpError) {
	const most = 128
	key := r.Header.Get("Idempotency-Key")
	if len(key) > most {
		return "", httpErrorf(http.StatusBadRequest, "Idempotency-Key has %d bytes and may have %d: a UUID will do", len(key), most)
	}
	if strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", httpErrorf(http.StatusBadRequest, "Idempotency-Key must be visible ASCII: a UUID will do")
	}
	return key, nil
}

// postBatch checks every event before it publishes the first.
func (s *Server) postBatch(a *app, r *http.Request, body []byte) (any, *httpError) {
	var b struct {
		Batch []publication `json:"batch"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "body is no batch of events: %v", err)
	}
	if n, most := len(b.Batch), a.now().Limits.MaxBatch; n == 0 || n > most {
		return nil, httpErrorf(http.StatusBadRequest, "batch has %d events and may have 1 to %d: send several batches", n, most)
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return nil, err
	}
	events := make([]*Event, len(b.Batch))
	asked := false
	for i := range b.Batch {
		e, err := a.event(&b.Batch[i])
		if err != nil {
			return nil, httpErrorf(err.status, "event %d of the batch: %s", i, err.msg)
		}
		if key != "" {
			e.ID = key + "/" + strconv.Itoa(i)
		}
		events[i] = e
		asked = asked || b.Batch[i].Info != ""
	}
	if err := s.publishAll(withTrace(r.Context(), r.Header), a, events); err != nil {
		return nil, err
	}
	if !asked {
		return struct{}{}, nil
	}
	return a.batchInfo(events, b.Batch)
}

// batchInfo has one object an event, of its first channel; they have just one.
func (a *app) batchInfo(events []*Event, batch []publication) (any, *httpError) {
	list := make([]any, len(events))
	for i, e := range events {
		list[i] = struct{}{}
		if batch[i].Info == "" {
			continue
		}
		m, err := a.infoOf(e.Channels[:1], batch[i].Info)
		if err != nil {
			return nil, err
		}
		list[i] = m[e.Channels[0]]
	}
	return map[string]any{"batch": list}, nil
}
