package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/roost-ws/roost/push"
)

// follow delivers what is added to the stream from now on. An ordered consumer
// begins anew behind the last message it had when one is missing or the connection
// was lost (ADR-17), so what this server hears is whole and in order, however long
// it was away.
func (b *Bus) follow(ctx context.Context) error {
	info, err := b.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask for the stream's state: %w", err)
	}
	b.begin(epochOf(info), info.State.LastSeq)
	consumer, err := b.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: info.State.LastSeq + 1,
	})
	if err != nil {
		return fmt.Errorf("make a consumer: %w", err)
	}
	consuming, err := consumer.Consume(b.apply,
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { b.opts.Logger.Warn("NATS consumer", "err", err) }))
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	b.stopFollowing = func() {
		consuming.Stop()
		<-consuming.Closed()
	}
	return nil
}

// begin starts an epoch, in which nothing up to seq is at hand.
func (b *Bus) begin(epoch string, seq uint64) {
	b.lines.mu.Lock()
	defer b.lines.mu.Unlock()
	for subject, l := range b.lines.m {
		l.mu.Lock()
		b.forget(subject, l)
		l.mu.Unlock()
	}
	b.epoch.Store(&epoch)
	b.applied.Store(seq)
}

// apply delivers the stream's next message. The consumer's goroutine calls it.
func (b *Bus) apply(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		b.opts.Logger.Error("a message of the stream has no metadata", "subject", m.Subject(), "err", err)
		return
	}
	seq, at := meta.Sequence.Stream, b.applied.Load()
	if seq <= at {
		return // had already, before the consumer began anew
	}
	if seq > at+1 {
		b.lost(fmt.Sprintf("events %d to %d were gone before this server had read them", at+1, seq-1))
	}
	if b.unwanted(m.Subject(), seq) {
		return
	}
	e, err := b.entry(m.Data(), seq, meta.Timestamp)
	if err != nil {
		b.opts.Logger.Error("an event could not be read", "err", err)
		b.applied.Store(seq)
		return
	}
	b.add(m.Subject(), *e)
}

// unwanted passes over an event that is for no channel here, without decoding it.
func (b *Bus) unwanted(subject string, seq uint64) bool {
	tokens := strings.Split(subject, ".")
	slot, err := strconv.Atoi(tokens[max(0, len(tokens)-2)])
	if err != nil || slot < 0 || slot >= slots || b.plain.slots[slot].channels.Load() > 0 {
		return false
	}
	b.lines.mu.Lock()
	defer b.lines.mu.Unlock()
	if b.lines.m[subject] != nil {
		return false // a line that missed one would tell of a history without it
	}
	b.applied.Store(seq)
	return true
}

// add delivers an event. A line's lock is taken before that of all is let go, so
// that none can be made or attached to in between; b.applied moves under it, for
// whoever attaches must not be told of a position that is still to be delivered.
func (b *Bus) add(subject string, e entry) {
	b.lines.mu.Lock()
	l := b.lines.m[subject]
	if l == nil {
		defer b.lines.mu.Unlock()
	} else {
		l.mu.Lock()
		defer l.mu.Unlock()
		b.lines.mu.Unlock()
		l.add(e, &b.lines.size)
	}
	b.subs.Deliver(e.event)
	b.applied.Store(e.event.Position.Seq)
}

// lost has the servers tell clients that they may have missed something.
func (b *Bus) lost(why string) {
	b.opts.Logger.Error("events with history were missed: their subscribers are sent away, to resume or be told", "err", why)
	b.subs.Deliver(&push.Event{Lost: true})
}

// lookTime is how often a bus looks whether NATS serves the stream.
const lookTime = time.Second

// watch keeps Ready true to the state of NATS, and follows the stream anew when it
// was made anew or lost its end.
func (b *Bus) watch() {
	tick := time.NewTicker(lookTime)
	defer tick.Stop()
	for {
		select {
		case <-b.quit:
			return
		case now := <-tick.C:
			b.sweep(now)
			err := b.inspect()
			if err != nil && b.nc.IsConnected() && b.unready.Load() == nil {
				b.opts.Logger.Warn("JetStream does not answer", "err", err)
			}
			if err != nil {
				b.unready.Store(&err)
			} else {
				b.unready.Store(nil)
			}
		}
	}
}

// shrunk is how many looks in a row must find the stream shorter than it was.
const shrunk = 3

func (b *Bus) inspect() error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	had := b.applied.Load()
	info, err := b.stream.Info(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return b.reopen(ctx, "the stream was deleted")
	}
	if err != nil {
		return fmt.Errorf("JetStream: %w", err)
	}
	if info.Cluster != nil && info.Cluster.Leader == "" {
		return errors.New("JetStream: the stream has no leader")
	}
	if epochOf(info) != *b.epoch.Load() {
		return b.reopen(ctx, "the stream has a new epoch")
	}
	if info.State.LastSeq >= had {
		b.behind = 0
		return nil
	}
	// A leader that has just been elected may be about to catch up.
	if b.behind++; b.behind < shrunk {
		return nil
	}
	b.behind = 0
	return b.nextGeneration(ctx, info, had)
}

// nextGeneration ends the epoch of a stream that has lost its end, in a power cut
// as a rule: its next events get sequences that clients know from others. Servers
// that see it at once write the same number.
func (b *Bus) nextGeneration(ctx context.Context, info *jetstream.StreamInfo, had uint64) error {
	generation, _ := strconv.Atoi(info.Config.Metadata[metaGeneration]) // 0 when there is none
	config := info.Config
	config.Metadata[metaGeneration] = strconv.Itoa(generation + 1)
	if _, err := b.js.UpdateStream(ctx, config); err != nil {
		return fmt.Errorf("JetStream: begin a new epoch: %w", err)
	}
	return b.reopen(ctx, fmt.Sprintf("the stream ended at %d and ends at %d", had, info.State.LastSeq))
}

func (b *Bus) reopen(ctx context.Context, why string) error {
	b.stopFollowing()
	_, err := b.openStream(ctx)
	if err == nil {
		err = b.follow(ctx)
	}
	if err != nil {
		return fmt.Errorf("JetStream: open the stream again: %w", err)
	}
	b.lost(why)
	return nil
}
