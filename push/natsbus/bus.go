package natsbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
	"golang.org/x/sync/singleflight"
)

// Options say which NATS, and how much of the events it keeps. Zero values mean
// the defaults. The stream is made by the first server that needs it and is left
// as it is by the others.
type Options struct {
	URL      string        // nats://user:password@…, several with commas; or else:
	Embedded *Embedded     // a server in this process; the bus ends it
	Prefix   string        // of subjects, and the name of the stream; default "roost"
	Count    int           // most events kept of one channel; default 1000
	Age      time.Duration // for which events are kept at most; default 24 h
	Replicas int           // of the stream in a cluster; default 1
	MaxData  int           // bytes of an event's data that NATS must have room for; default 0
	Logger   *slog.Logger  // default: slog.Default

	Credentials     string // file with a user's JWT and seed, as nsc writes it
	CA              string // file with the certificates that the servers' are signed by; default: the system's
	TLSCert, TLSKey string // files, for servers that ask for a client's certificate
}

// Bus is a push.Bus.
type Bus struct {
	opts   Options
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream // by its name: it may be made anew
	plain  *plain
	subs   push.Subscribers

	epoch     atomic.Pointer[string]
	applied   atomic.Uint64 // sequence up to which the stream has been delivered
	lines     lines
	looks     singleflight.Group
	asking    chan struct{} // holds one for each request to the stream's past
	storing   chan struct{} // and for each event that is not yet acknowledged
	unready   atomic.Pointer[error]
	behind    int       // watch's own, as end:
	end       uint64    // of the stream, at the last look
	endTime   time.Time // of the message that was stored there
	returns   uint64    // of the connection, until then
	reopening string    // why the stream must be followed anew

	follower *follower
	quit     chan struct{}
	wg       sync.WaitGroup
	closed   sync.Once
}

var _ push.Bus = (*Bus)(nil)

// answerTime is how long NATS may take to store an event or to tell its state.
const answerTime = 5 * time.Second

// Connect returns a bus that hears everything from now on. ctx bounds that.
func Connect(ctx context.Context, o Options) (*Bus, error) {
	o.Prefix, o.Count, o.Age = cmp.Or(o.Prefix, "roost"), cmp.Or(o.Count, 1000), cmp.Or(o.Age, 24*time.Hour)
	o.Replicas = cmp.Or(o.Replicas, 1)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	b := &Bus{
		opts: o, lines: lines{m: make(map[string]*line)}, asking: make(chan struct{}, asking), storing: make(chan struct{}, storing),
		quit: make(chan struct{}),
	}
	if err := b.connect(); err != nil {
		if o.Embedded != nil {
			o.Embedded.stop()
		}
		return nil, err
	}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("natsbus: %w", err), b.Close())
	}
	b.wg.Go(b.watch)
	return b, nil
}

func (b *Bus) connect() (err error) {
	if err := b.opts.check(); err != nil {
		return err
	}
	if b.nc, err = nats.Connect(b.opts.URL, b.opts.nats()...); err != nil {
		return fmt.Errorf("natsbus: connect to NATS: %w", err)
	}
	if n, most := int64(b.opts.MaxData), b.nc.MaxPayload(); n > most {
		b.nc.Close()
		return fmt.Errorf("natsbus: events may have %d bytes of data and NATS takes %d: lower max-data, or raise max_payload of an external NATS", n, most)
	}
	b.js, err = jetstream.New(b.nc, jetstream.WithPublishAsyncMaxPending(2*storing), jetstream.WithPublishAsyncTimeout(answerTime))
	if err != nil {
		b.nc.Close()
		return fmt.Errorf("natsbus: %w", err)
	}
	return nil
}

// open begins to listen.
func (b *Bus) open(ctx context.Context) (err error) {
	if b.stream, err = b.openStream(ctx); err != nil {
		return fmt.Errorf("open the stream of events with history: %w: JetStream must be enabled", err)
	}
	if e := b.opts.Embedded; e != nil && e.unclean {
		b.opts.Logger.Warn("the system went down while events were written: positions from before are not recovered")
		if err := b.nextGeneration(ctx, b.stream.CachedInfo()); err != nil {
			return err
		}
		if err := e.epochEnded(); err != nil {
			return err
		}
	}
	if b.plain, err = startPlain(b.nc, b.opts.Prefix, b.opts.Logger, b.subs.Deliver); err != nil {
		return err
	}
	return b.follow(ctx, "")
}

// Publish returns when NATS has stored the event, or without history when it is
// on its way. After an error it may have been stored even so; published again
// with the same ID within a minute, it is stored once.
func (b *Bus) Publish(ctx context.Context, e *push.Event) error {
	if e.Keep.Count == 0 {
		return b.plain.publish(e)
	}
	return b.store(ctx, e)
}

// Subscribe never fails.
func (b *Bus) Subscribe(deliver func(*push.Event)) (stop func(), err error) {
	return b.subs.Add(deliver), nil
}

// Join has the events of the channel's slot come here.
func (b *Bus) Join(app, channel string) (heard <-chan struct{}) {
	return b.plain.join(slotOf(app, channel))
}

// Leave is Join undone.
func (b *Bus) Leave(app, channel string) { b.plain.leave(slotOf(app, channel)) }

// Attach waits, if it must, until this server has read as far as the one that
// the client was on before.
func (b *Bus) Attach(ctx context.Context, at push.Attachment, f func(push.Replay)) error {
	if s := at.Since; s != nil && s.Epoch == *b.epoch.Load() && s.Seq > b.applied.Load() {
		if err := b.await(ctx, s.Seq); err != nil {
			return err
		}
	}
	subject := b.kept(at.App, at.Channel)
	l := b.line(subject)
	defer func() { l.mu.Unlock() }()
	for {
		if r, ok := l.since(at, b.position(), time.Now()); ok {
			f(r)
			if b.lines.size.Load() > allSize { // with what was learned for it
				l.trim(&b.lines.size)
			}
			return nil
		}
		l.looks++
		l.mu.Unlock()
		p, err := b.look(ctx, at, subject)
		l.mu.Lock()
		l.looks--
		if err != nil {
			return err
		}
		if l.dead { // a new epoch has begun
			l.mu.Unlock()
			l = b.line(subject)
			continue
		}
		if l.learn(p, &b.lines.size); !p.whole {
			at.Since = nil
		}
	}
}

func (b *Bus) position() protocol.Position {
	return protocol.Position{Epoch: *b.epoch.Load(), Seq: b.applied.Load()}
}

// Ready returns an error while there is no connection to NATS, or the stream has
// no leader there.
func (b *Bus) Ready() error {
	if s := b.nc.Status(); s != nats.CONNECTED {
		return errors.New("NATS is " + s.String())
	}
	if err := b.unready.Load(); err != nil {
		return *err
	}
	return nil
}

// Close ends the connection, and the embedded server. A second call does nothing.
func (b *Bus) Close() error {
	b.closed.Do(func() {
		close(b.quit)
		b.wg.Wait()
		if b.follower != nil {
			b.follower.stop()
		}
		b.nc.Close()
		if b.plain != nil {
			b.plain.stop()
		}
		if b.opts.Embedded != nil {
			b.opts.Embedded.stop()
		}
	})
	return nil
}
