package natsbus

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// Options say which NATS, and how much of the events it keeps. Zero values mean
// the defaults. The stream is made by the first server that needs it and is left
// as it is by the others.
type Options struct {
	URL      string        // nats://…, several with commas; or else:
	Embedded *Embedded     // a server in this process; the bus ends it
	Prefix   string        // of subjects, and the name of the stream; default "roost"
	Count    int           // most events kept of one channel; default 1000
	Age      time.Duration // for which events are kept at most; default 24 h
	Replicas int           // of the stream in a cluster; default 1
	Logger   *slog.Logger  // default: slog.Default
}

// Bus is a push.Bus.
type Bus struct {
	opts    Options
	nc      *nats.Conn
	js      jetstream.JetStream
	stream  jetstream.Stream
	epoch   string
	history *push.Histories
	subs    push.Subscribers
	applied atomic.Uint64 // sequence up to which the stream has been delivered
	stop    func()        // ends the consumer
}

var _ push.Bus = (*Bus)(nil)

// answerTime is how long NATS may take to store an event or to tell its state.
const answerTime = 5 * time.Second

// Connect returns a bus that has read what the stream retains. ctx bounds that.
func Connect(ctx context.Context, o Options) (*Bus, error) {
	o.Prefix, o.Count, o.Age = cmp.Or(o.Prefix, "roost"), cmp.Or(o.Count, 1000), cmp.Or(o.Age, 24*time.Hour)
	o.Replicas = cmp.Or(o.Replicas, 1)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	b := &Bus{opts: o}
	if err := b.connect(); err != nil {
		if o.Embedded != nil {
			o.Embedded.stop()
		}
		return nil, err
	}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("natsbus: %w", err), b.Close())
	}
	return b, nil
}

func (b *Bus) connect() (err error) {
	options := []nats.Option{
		nats.Name("roost"), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.ReconnectBufSize(-1), // a publisher is told at once that NATS is away
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { b.opts.Logger.Warn("NATS connection lost", "err", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { b.opts.Logger.Info("NATS connection is back") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { b.opts.Logger.Warn("NATS", "err", err) }),
	}
	if b.opts.Embedded != nil {
		options = append(options, nats.InProcessServer(b.opts.Embedded.server))
	}
	if b.nc, err = nats.Connect(b.opts.URL, options...); err != nil {
		return fmt.Errorf("natsbus: connect to NATS: %w", err)
	}
	if b.js, err = jetstream.New(b.nc); err != nil {
		return fmt.Errorf("natsbus: %w", err)
	}
	return nil
}

// open begins to listen.
func (b *Bus) open(ctx context.Context) error {
	if err := b.openStream(ctx); err != nil {
		return fmt.Errorf("open the stream of events with history: %w: JetStream must be enabled", err)
	}
	if _, err := b.nc.Subscribe(b.opts.Prefix+".event", b.plain); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return b.follow(ctx)
}

// Publish returns when NATS has stored the event, or without history when it is
// on its way. After an error it may have been stored even so.
func (b *Bus) Publish(ctx context.Context, e *push.Event) error {
	text, err := encode(e)
	if err != nil {
		return err
	}
	if e.Keep.Count == 0 {
		return b.nc.Publish(b.opts.Prefix+".event", text)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err = b.js.Publish(ctx, b.subject(e.App, e.Channels[0]), text)
	return err
}

// subject names a channel. Names may have dots, which separate tokens in NATS.
func (b *Bus) subject(app, channel string) string {
	return b.opts.Prefix + ".kept." + app + "." + base64.RawURLEncoding.EncodeToString([]byte(channel))
}

// Subscribe never fails.
func (b *Bus) Subscribe(deliver func(*push.Event)) (stop func(), err error) {
	return b.subs.Add(deliver), nil
}

// Attach waits, if it must, until this server has read as far as the one that
// the client was on before.
func (b *Bus) Attach(ctx context.Context, at push.Attachment, f func(push.Replay)) error {
	if s := at.Since; s != nil && s.Epoch == b.epoch && s.Seq > b.applied.Load() {
		if err := b.await(ctx, s.Seq); err != nil {
			return err
		}
	}
	b.history.Attach(at, b.position, f)
	return nil
}

func (b *Bus) position() protocol.Position {
	return protocol.Position{Epoch: b.epoch, Seq: b.applied.Load()}
}

// await returns when the stream has been delivered up to seq, and at once when it
// isn't that long: a client may claim anything.
func (b *Bus) await(ctx context.Context, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	info, err := b.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("natsbus: ask for the stream's end: %w", err)
	}
	if seq > info.State.LastSeq {
		return nil
	}
	const look = 5 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	for b.applied.Load() < seq {
		select {
		case <-ctx.Done():
			return fmt.Errorf("natsbus: this server is at %d of the stream and the client was at %d: %w", b.applied.Load(), seq, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// Ready returns an error while there is no connection to NATS.
func (b *Bus) Ready() error {
	if s := b.nc.Status(); s != nats.CONNECTED {
		return errors.New("NATS is " + s.String())
	}
	return nil
}

// Close ends the connection, and the embedded server.
func (b *Bus) Close() error {
	if b.stop != nil {
		b.stop()
	}
	b.nc.Close()
	if b.opts.Embedded != nil {
		b.opts.Embedded.stop()
	}
	return nil
}

func epochOf(info *jetstream.StreamInfo) string {
	return strconv.FormatInt(info.Created.UnixNano(), 36)
}

// Join returns nil: every server is sent everything.
func (b *Bus) Join(string, string) (heard <-chan struct{}) { return nil }

// Leave does nothing.
func (b *Bus) Leave(string, string) {}
