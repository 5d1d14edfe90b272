package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/roost-ws/roost/push"
)

// lost has the servers tell clients that they may have missed something.
func (b *Bus) lost(why string) {
	b.opts.Logger.Error("events with history were missed: their subscribers are sent away, to resume or be told", "err", why)
	b.subs.Deliver(&push.Event{Lost: true})
}

// lookTime is how often a bus looks whether NATS serves the stream, and where it
// ends. What is there at one look and not delivered at the next is fetched.
const lookTime = 500 * time.Millisecond

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
	had, end := b.applied.Load(), b.end
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
	returns := b.nc.Stats().Reconnects // up to the answer at least
	if had = max(had, end); info.State.LastSeq < had {
		// A leader that has just been elected may be about to catch up.
		if b.behind++; b.behind < shrunk {
			return b.deaf()
		}
	} else if lost, err := b.hasLostItsEnd(ctx, returns); err != nil {
		return err
	} else if !lost && b.reopening != "" {
		return b.reopen(ctx, b.reopening) // its epoch goes on, and nobody follows it
	} else if !lost {
		b.behind, b.end, b.endTime, b.returns = 0, info.State.LastSeq, info.State.LastTime, returns
		select {
		case b.follower.ends <- end:
		default: // it is busy with an earlier one
		}
		return nil
	}
	b.behind = 0
	if err := b.nextGeneration(ctx, info); err != nil {
		return err
	}
	return b.reopen(ctx, fmt.Sprintf("the stream ended at %d, lost that, and ends at %d", had, info.State.LastSeq))
}

// hasLostItsEnd reports whether another message is where the stream ended at the last
// look: while NATS was away it may have lost its end, and have grown past it since.
// One that is no longer kept tells nothing.
func (b *Bus) hasLostItsEnd(ctx context.Context, returns uint64) (bool, error) {
	away := b.behind > 0 || b.unready.Load() != nil || b.returns != returns
	if !away || b.end == 0 {
		return false, nil
	}
	m, err := b.ask(ctx, map[string]any{"seq": b.end})
	return m != nil && !m.at.Equal(b.endTime), err
}

// nextGeneration ends the epoch of a stream that has lost its end, in a power cut
// as a rule: its next events get sequences that clients know from others. Servers
// that see it at once write the same number.
func (b *Bus) nextGeneration(ctx context.Context, info *jetstream.StreamInfo) error {
	generation, _ := strconv.Atoi(info.Config.Metadata[metaGeneration]) // 0 when there is none
	config := info.Config
	config.Metadata[metaGeneration] = strconv.Itoa(generation + 1)
	if _, err := b.js.UpdateStream(ctx, config); err != nil {
		return fmt.Errorf("JetStream: begin a new epoch: %w", err)
	}
	return nil
}

// reopen may fail with nobody left who follows the stream: b.reopening says so until
// somebody does, for the stream may come back as it was.
func (b *Bus) reopen(ctx context.Context, why string) error {
	b.reopening = why
	b.follower.stop()
	_, err := b.openStream(ctx)
	if err == nil {
		err = b.follow(ctx, why)
	}
	if err != nil {
		return fmt.Errorf("JetStream: open the stream again: %w", err)
	}
	b.reopening, b.behind, b.end = "", 0, 0
	return nil
}

// deaf returns an error while nobody follows the stream.
func (b *Bus) deaf() error {
	if b.reopening == "" {
		return nil
	}
	return errors.New("JetStream: the stream is not followed: " + b.reopening)
}
