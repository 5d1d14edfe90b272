package push

import (
	"context"
	"fmt"
)

// Publish hands an event to the bus, as the HTTP API does; without e.App it is
// for the first app. The error tells which limit it breaks, or is the bus's.
func (s *Server) Publish(ctx context.Context, e Event) error {
	a := s.tenants().list[0]
	if e.App != "" {
		a = s.tenants().byID[e.App]
	}
	if a == nil {
		return fmt.Errorf("push: no app %q here: name one of the apps", e.App)
	}
	e.App, e.UserID, e.Terminate = a.ID, "", ""
	if err := a.checkEvent(&e); err != nil {
		return err
	}
	return s.publish(ctx, a.split(&e)...)
}

// publish hands the parts of one event to the bus.
func (s *Server) publish(ctx context.Context, parts ...*Event) error {
	for _, e := range parts {
		if err := s.tracer.publish(ctx, s.opts.Bus, e); err != nil {
			s.counts.busErrors.Add(1)
			return fmt.Errorf("push: hand the event to the bus: %w", err)
		}
	}
	s.counts.published.Add(1)
	if len(parts) > 0 {
		if a := s.tenants().byID[parts[0].App]; a != nil {
			a.published.Add(1)
		}
	}
	return nil
}

// split parts e by what is kept of its channels: each channel with history by
// itself, the rest in one.
func (a *app) split(e *Event) (parts []*Event) {
	plain := *e
	plain.Channels, plain.Keep = nil, Retention{}
	for _, name := range e.Channels {
		keep := a.retention(name)
		if keep.Count == 0 {
			plain.Channels = append(plain.Channels, name)
			continue
		}
		kept := *e
		kept.Channels, kept.Keep = []string{name}, keep
		parts = append(parts, &kept)
	}
	if len(plain.Channels) > 0 {
		parts = append(parts, &plain)
	}
	return parts
}
