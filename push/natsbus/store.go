package natsbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/roost-ws/roost/push"
)

// storing is how many events may wait to be acknowledged; more publishers wait.
const storing = 4096

// idHeader is what the id of an event takes beside itself.
const idHeader = len("NATS/1.0\r\n" + jetstream.MsgIDHeader + ": \r\n\r\n")

// tryTime is how long NATS may take to answer before it is asked again.
const tryTime = time.Second

// store returns when NATS has acknowledged the event. An attempt that got no
// answer may have been stored even so; under the same id it can be made again
// without that the event is there twice.
func (b *Bus) store(ctx context.Context, e *push.Event) error {
	text, err := encode(e, e.Channels)
	if err != nil {
		return err
	}
	id := nuid.Next()
	if e.ID != "" {
		id = e.App + "/" + e.Channels[0] + "/" + e.ID
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	select {
	case b.storing <- struct{}{}:
		defer func() { <-b.storing }()
	case <-ctx.Done():
		return fmt.Errorf("natsbus: %d events wait to be stored: %w", storing, ctx.Err())
	}
	for sent := false; ; {
		unsent, err := b.try(ctx, &nats.Msg{
			Subject: b.kept(e.App, e.Channels[0]), Data: text, Header: nats.Header{jetstream.MsgIDHeader: {id}},
		})
		if sent = sent || !unsent; err == nil || !sent || refused(err) {
			return tooLarge(err, b.nc, len(text)+len(id)+idHeader)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("natsbus: store an event: %w", err)
		case <-time.After(tryTime / 10):
		}
	}
}

// try publishes once. unsent means that NATS has not seen it.
func (b *Bus) try(ctx context.Context, m *nats.Msg) (unsent bool, err error) {
	ack, err := b.js.PublishMsgAsync(m)
	if err != nil {
		return true, err
	}
	late := time.NewTimer(tryTime)
	defer late.Stop()
	select {
	case <-ack.Ok():
		return false, nil
	case err := <-ack.Err():
		return false, err
	case <-late.C:
		return false, errors.New("no answer within " + tryTime.String())
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// tooLarge says what NATS's own error leaves out.
func tooLarge(err error, nc *nats.Conn, size int) error {
	if errors.Is(err, nats.ErrMaxPayload) {
		return &push.TooLargeError{Size: int64(size), Most: nc.MaxPayload()}
	}
	return err
}

// refused reports whether NATS has answered, so that asking again is in vain. No
// responders is none: the stream may be about to get a leader.
func refused(err error) bool {
	_, is := errors.AsType[*jetstream.APIError](err)
	return is
}
