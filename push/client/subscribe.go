package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/coder/websocket"
	"github.com/roost-ws/roost/push/protocol"
)

// Message is one event as a subscriber gets it.
type Message struct {
	Channel, Event, Data string
	UserID               string    // who sent a client event on a presence channel
	Position             *Position // in the channel's history; nil where none is kept
}

// Subscription says what to listen to and whom to tell. The functions are called
// one at a time, from the goroutine that called Subscribe.
type Subscription struct {
	Channels     []string                            // at least one; private ones need Options.Secret
	UserID       string                              // whom presence channels show; they need it
	Message      func(Message)                       // every event of the channels
	Subscribed   func(channel string)                // may be nil: the server confirmed it, again after each reconnect
	Missed       func(channel string)                // may be nil: events were missed that no history has any more: fetch the state anew
	Positions    map[string]Position                 // may be nil: where to resume, by channel, from Message.Position of an earlier run
	Connected    func(socketID string)               // may be nil
	Disconnected func(err error, wait time.Duration) // may be nil: the connection was lost and is tried again after wait
}

// CloseError is a close by the server after which coming back is pointless
// (codes 4000 to 4099), such as an unknown app key.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("client: the server closed with %d: %s", e.Code, e.Reason)
}

// SubscriptionError is a channel that the server refused.
type SubscriptionError struct{ Channel, Reason string }

func (e *SubscriptionError) Error() string {
	return fmt.Sprintf("client: subscription to %s refused: %s", e.Channel, e.Reason)
}

// Subscribe listens until ctx is done, and then returns ctx's error. It connects
// again when the connection is lost: after codes 4200 to 4299 at once, or when the
// server says so, else
// after a wait that doubles from MinBackoff to MaxBackoff, jittered over its
// upper half so that a fleet doesn't come back as one. Events published while
// it was away are delivered first, in order and once, where the server keeps the
// channel's history; where that no longer has them, Missed is called. Without
// history they are lost. It gives up with a *CloseError or a
// *SubscriptionError when trying again would not help.
func (c *Client) Subscribe(ctx context.Context, s Subscription) error {
	if len(s.Channels) == 0 || s.Message == nil {
		return errors.New("client: a subscription needs a channel and a Message function")
	}
	for _, name := range s.Channels {
		if err := protocol.CheckChannel(name); err != nil {
			return fmt.Errorf("client: %w", err)
		}
		if protocol.NeedsAuth(name) && c.opts.Secret == "" {
			return fmt.Errorf("client: channel %s is private: set Options.Secret to sign the subscription", name)
		}
		if !protocol.IsPresence(name) {
			continue
		}
		if err := protocol.CheckUserID(s.UserID); err != nil {
			return fmt.Errorf("client: channel %s shows its members who is there: Subscription.UserID: %w", name, err)
		}
	}
	last := make(positions, len(s.Positions))
	maps.Copy(last, s.Positions)
	rushed := false // the last time without a wait: not twice, or a server could spin us
	for attempt := 0; ; attempt++ {
		up, after, err := c.session(ctx, &s, last)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fatal(err) {
			return err
		}
		if up {
			attempt = 0
		}
		wait := c.backoff(attempt)
		rushed = up && !rushed && protocol.Immediate(int(websocket.CloseStatus(err)))
		if rushed {
			wait = min(after, c.opts.MaxBackoff)
		}
		if s.Disconnected != nil {
			s.Disconnected(err, wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (c *Client) backoff(attempt int) time.Duration {
	d := c.opts.MaxBackoff
	if attempt < 20 {
		d = min(d, c.opts.MinBackoff<<attempt)
	}
	return d/2 + rand.N(d/2+1)
}

func fatal(err error) bool {
	_, closed := errors.AsType[*CloseError](err)
	_, refused := errors.AsType[*SubscriptionError](err)
	return closed || refused
}
