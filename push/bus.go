package push

import (
	"context"
	"fmt"

	"github.com/roost-ws/roost/push/protocol"
)

// Event is one publication, as it travels between servers. It must not be
// changed once it was published: several goroutines read it.
type Event struct {
	App      string   // id of the app that it belongs to
	Channels []string // without duplicates, names checked
	Name     string   // of the event, checked
	Data     string   // what subscribers get as data
	Except   string   // socket id of the one connection that shall not get it; may be empty
	UserID   string   // of the presence member that sent it; else empty

	// Keep has the bus keep the event; it then names one channel, and the bus
	// sets Position before it delivers.
	Keep     Retention
	Position protocol.Position

	// Trace is where the publication stands in a distributed trace; may be zero.
	Trace Trace

	// ID, if set, is the publisher's: of kept events of one channel with the same ID
	// within a short time, the first counts.
	ID string

	// Lost says that kept events of any channel may have been missed here; nothing
	// else counts then.
	Lost bool

	// Terminate, if set, is a user whose connections are to be ended; nothing else
	// but App counts then.
	Terminate string
}

// Bus carries events from the server that took a publication to every server
// that may have subscribers, itself included. Several goroutines call it.
type Bus interface {
	// Publish returns when the event has been handed over. An error means that
	// some server may not get it; the publisher is told and tries again, but for a
	// *TooLargeError.
	Publish(ctx context.Context, e *Event) error
	// Subscribe has deliver called with every event published from now on: in the
	// order of one publisher, and kept events of one channel in the order of their
	// positions. deliver must not block. stop ends it.
	Subscribe(deliver func(*Event)) (stop func(), err error)
	// Join says that the channel has subscribers on this server, until Leave: events
	// of channels without any may be kept from deliver. Both return at once, and are
	// called in turns for one channel. What is published after the returned channel
	// was closed reaches the subscribers; nil stands for a closed one. The bus closes
	// it within a few seconds, whatever happens.
	Join(app, channel string) (heard <-chan struct{})
	Leave(app, channel string)
	// Attach calls f between two events of the channel: what f is shown was
	// delivered before, and all that follows is delivered after f has returned.
	// f must not block, nor call the bus. When Attach returns, f was called, or an
	// error says why not.
	Attach(ctx context.Context, at Attachment, f func(Replay)) error
	// Ready returns nil when events can be published, or what keeps them from it.
	Ready() error
	// Tell sends text, which the bus then owns, to the servers that listen as node,
	// or with node "" to all that listen, the one that tells included. It arrives at
	// most once, and in the order of one teller. An error means that it was not sent;
	// none does not mean that anybody got it. It does not wait for who listens.
	Tell(ctx context.Context, node string, text []byte) error
	// Listen has f called with every text told to node or to all from now on, one at
	// a time. f may call the bus, and must not change text. stop ends it, and waits for a call
	// under way.
	Listen(node string, f func(text []byte)) (stop func(), err error)
}

// TooLargeError is what Publish returns of an event that the bus takes at no time.
type TooLargeError struct {
	Size, Most int64 // bytes of the event as it travels, its names included
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the event has %d bytes on its way to the other servers and may have %d there: send less, or raise max_payload of an external NATS", e.Size, e.Most)
}

// MaxTold is the most bytes that Tell takes: NATS takes 1 MiB by default, and
// texts share its connection with events.
const MaxTold = 256 << 10

// Attachment says which channel's history is wanted, and from where.
type Attachment struct {
	App, Channel string
	Keep         Retention
	Since        *protocol.Position // the last event that is known; nil: none
	Last         bool               // Replay.Last is wanted
}

// Replay is the history of a channel at one moment.
type Replay struct {
	Head      protocol.Position // of the last event, or of the beginning when there was none
	Last      *Event            // if wanted; nil when it is kept no longer
	Recovered bool              // Missed is all that came after Since
	Missed    []*Event          // in order
}
