package natsbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// envelope is an event on its way.
type envelope struct {
	App       string   `json:"a"`
	Channels  []string `json:"c,omitempty"`
	Name      string   `json:"n,omitempty"`
	Data      string   `json:"d,omitempty"`
	Except    string   `json:"x,omitempty"`
	UserID    string   `json:"u,omitempty"`
	Count     int      `json:"k,omitempty"`
	Age       int64    `json:"t,omitempty"` // ns
	Terminate string   `json:"e,omitempty"`
}

func encode(e *push.Event) ([]byte, error) {
	return json.Marshal(envelope{e.App, e.Channels, e.Name, e.Data, e.Except, e.UserID, e.Keep.Count, int64(e.Keep.Age), e.Terminate})
}

func decode(text []byte) (*push.Event, error) {
	var v envelope
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	return &push.Event{
		App: v.App, Channels: v.Channels, Name: v.Name, Data: v.Data, Except: v.Except, UserID: v.UserID,
		Keep: push.Retention{Count: v.Count, Age: time.Duration(v.Age)}, Terminate: v.Terminate,
	}, nil
}

// openStream finds the stream, or makes it.
func (b *Bus) openStream(ctx context.Context) (err error) {
	b.stream, err = b.js.Stream(ctx, b.opts.Prefix)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		b.stream, err = b.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: b.opts.Prefix, Subjects: []string{b.opts.Prefix + ".kept.>"}, Storage: jetstream.FileStorage,
			MaxMsgsPerSubject: int64(b.opts.Count), MaxAge: b.opts.Age, Replicas: b.opts.Replicas, Discard: jetstream.DiscardOld,
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another server was faster
			b.stream, err = b.js.Stream(ctx, b.opts.Prefix)
		}
	}
	return err
}

// plain delivers an event without history.
func (b *Bus) plain(m *nats.Msg) {
	e, err := decode(m.Data)
	if err != nil {
		b.opts.Logger.Error("an event could not be read", "subject", m.Subject, "err", err)
		return
	}
	b.subs.Deliver(e)
}

// follow reads the stream from its beginning, and returns once it has reached
// what was the end. An ordered consumer begins anew behind the last message it
// had when one is missing or the connection was lost.
func (b *Bus) follow(ctx context.Context) error {
	info, err := b.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask for the stream's state: %w", err)
	}
	b.epoch = epochOf(info)
	b.history = push.NewSharedHistories(max(info.State.FirstSeq, 1) - 1)
	consumer, err := b.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("make a consumer: %w", err)
	}
	reached := make(chan struct{}, 1)
	if info.State.Msgs == 0 {
		b.applied.Store(info.State.LastSeq)
		reached <- struct{}{}
	}
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		if b.apply(m) >= info.State.LastSeq {
			select {
			case reached <- struct{}{}:
			default: // it is known
			}
		}
	}, jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { b.opts.Logger.Warn("NATS consumer", "err", err) }))
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	b.stop = func() {
		consuming.Stop()
		<-consuming.Closed()
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("read the stream: at %d of %d: %w", b.applied.Load(), info.State.LastSeq, ctx.Err())
	case <-reached:
	}
	if most := info.Config.MaxMsgsPerSubject; most > 0 {
		b.history.LimitTo(int(most))
	}
	return nil
}

// apply delivers the stream's next message and returns its sequence.
func (b *Bus) apply(m jetstream.Msg) uint64 {
	meta, err := m.Metadata()
	if err != nil {
		b.opts.Logger.Error("a message of the stream has no metadata", "subject", m.Subject(), "err", err)
		return 0
	}
	seq := meta.Sequence.Stream
	if seq <= b.applied.Load() {
		return seq // had already, before the consumer began anew
	}
	e, err := decode(m.Data())
	if err != nil || len(e.Channels) != 1 {
		b.opts.Logger.Error("a message of the stream is no event", "subject", m.Subject(), "seq", seq, "err", err)
	} else {
		e.Position = protocol.Position{Epoch: b.epoch, Seq: seq}
		b.history.Add(e, meta.Timestamp, func() { b.subs.Deliver(e) })
	}
	b.applied.Store(seq)
	return seq
}
