package client

import (
	"fmt"

	"github.com/roost-ws/roost/push/protocol"
)

// Position is a place in a channel's history. See protocol.Position.
type Position = protocol.Position

// positions are the last event had of each channel that keeps a history.
type positions map[string]Position

func (p positions) of(channel string) *protocol.Position {
	if at, ok := p[channel]; ok {
		return &at
	}
	return nil
}

// confirmed takes what the server says of a channel's history: that all that was
// missed follows, or that it can't be had.
func (p positions) confirmed(s *Subscription, f protocol.Frame) error {
	var d struct {
		Position  *protocol.Position `json:"position"`
		Recovered bool               `json:"recovered"`
	}
	if err := protocol.DecodeData(f.Data, &d); err != nil {
		return fmt.Errorf("client: decode %s: %w", f.Event, err)
	}
	if s.Subscribed != nil {
		s.Subscribed(f.Channel)
	}
	_, resuming := p[f.Channel]
	if d.Position != nil {
		p[f.Channel] = *d.Position
	} else {
		delete(p, f.Channel) // the server keeps no history of it, or no longer
	}
	if resuming && !d.Recovered && s.Missed != nil {
		s.Missed(f.Channel)
	}
	return nil
}

// heard hands on an event, but for one that was had already: around a
// subscription an event may come both as missed and as live.
func (p positions) heard(s *Subscription, f protocol.Frame) error {
	text, err := protocol.DataString(f.Data)
	if err != nil {
		return fmt.Errorf("client: decode %s: %w", f.Event, err)
	}
	if at := f.Position; at != nil {
		if last, ok := p[f.Channel]; ok && last.Epoch == at.Epoch && at.Seq <= last.Seq {
			return nil
		}
		p[f.Channel] = *at
	}
	s.Message(Message{Channel: f.Channel, Event: f.Event, Data: text, UserID: f.UserID, Position: f.Position})
	return nil
}
