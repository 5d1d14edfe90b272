package natsbus

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// follower delivers what is added to the stream, whole and in order. The stream's
// leader republishes what it stores, which costs no consumer. Sequences have no
// gaps but for what was dropped, so one that is passed over is fetched before what
// follows is delivered; and watch tells where the stream ended a while ago, as no
// successor shows that the last event is missing.
type follower struct {
	bus   *Bus
	sub   *nats.Subscription
	queue chan *nats.Msg
	ends  chan uint64
	quit  context.CancelFunc
	done  chan struct{}
}

// follow begins to deliver what is added to the stream from now on. why says what
// made the epoch before end; empty, there was none.
func (b *Bus) follow(ctx context.Context, why string) (err error) {
	life, quit := context.WithCancel(context.Background())
	f := &follower{bus: b, queue: make(chan *nats.Msg, queued), ends: make(chan uint64, 1), quit: quit, done: make(chan struct{})}
	if f.sub, err = b.nc.ChanSubscribe(b.opts.Prefix+".live.>", f.queue); err != nil {
		quit()
		return fmt.Errorf("subscribe: %w", err)
	}
	// The subscription first: what is added in between comes twice, and not never.
	info, err := b.stream.Info(ctx)
	if err != nil {
		quit()
		f.end()
		return fmt.Errorf("ask for the stream's state: %w", err)
	}
	b.begin(epochOf(info), info.State.LastSeq)
	b.follower = f
	if why != "" { // before anybody has a position in the new epoch, which would cover up the gap
		b.lost(why)
	}
	go f.run(life)
	return nil
}

// stop returns when nothing is delivered any more.
func (f *follower) stop() {
	f.quit()
	<-f.done
	f.end()
}

// end is the subscription's, and fails when the connection has.
func (f *follower) end() { _ = f.sub.Unsubscribe() }

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-f.queue:
			f.hear(ctx, m)
		case end := <-f.ends:
			if len(f.queue) == 0 { // else what waits there tells as well
				f.fill(ctx, end)
			}
		}
	}
}

// hear takes a republished message.
func (f *follower) hear(ctx context.Context, m *nats.Msg) {
	seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil || seq == 0 {
		f.bus.opts.Logger.Error("a republished message has no sequence", "subject", m.Subject, "err", err)
		return
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		f.bus.opts.Logger.Error("a republished message has no time", "subject", m.Subject, "err", err)
		return
	}
	if f.fill(ctx, seq-1) && seq == f.bus.applied.Load()+1 {
		f.bus.apply(stored{m.Header.Get(jetstream.SubjectHeader), m.Data, seq, at})
	}
}

// fill delivers what the stream has up to a sequence and was not heard. It goes on
// trying while NATS is away, and reports false when the bus is closed meanwhile.
func (f *follower) fill(ctx context.Context, end uint64) bool {
	b := f.bus
	said := false
	for from := b.applied.Load() + 1; from <= end; from = b.applied.Load() + 1 {
		err := b.catchUp(ctx, from, end)
		if ctx.Err() != nil {
			return false
		}
		if err != nil && !said {
			b.opts.Logger.Warn("events that were not heard can't be read yet", "from", from, "to", end, "err", err)
			said = true
		}
		if b.applied.Load() < from {
			time.Sleep(lagTime)
		}
	}
	return true
}

// catchUp delivers some of what is in the range. What its leader does not have
// either is gone.
func (b *Bus) catchUp(ctx context.Context, from, end uint64) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	all := b.opts.Prefix + ".in.>"
	missed, _, err := b.get(ctx, all, from, int(min(end-from+1, batch)))
	if err != nil {
		return err
	}
	for _, m := range missed {
		if m.seq > end {
			break
		}
		b.apply(m)
		from = m.seq + 1
	}
	if len(missed) > 0 && missed[len(missed)-1].seq < end {
		return nil // there may be more
	}
	if from > end {
		return nil
	}
	next, err := b.ask(ctx, map[string]any{"seq": from, "next_by_subj": all})
	if err == nil && (next == nil || next.seq > end) {
		b.skip(from, end)
	}
	return err
}

// begin starts an epoch or goes on in one, and nothing up to seq is at hand.
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

// skip passes over events that are gone. What is at hand doesn't have them, and
// would be taken for whole by whoever comes back because of them.
func (b *Bus) skip(from, to uint64) {
	b.begin(*b.epoch.Load(), to)
	b.lost(fmt.Sprintf("events %d to %d were gone before this server had read them", from, to))
}

// apply delivers the stream's next message. The follower's goroutine calls it.
func (b *Bus) apply(m stored) {
	if at := b.applied.Load(); m.seq > at+1 {
		b.skip(at+1, m.seq-1)
	}
	if b.unwanted(m.subject, m.seq) {
		return
	}
	e, err := b.entry(m)
	if err != nil {
		b.opts.Logger.Error("an event could not be read", "err", err)
		b.applied.Store(m.seq)
		return
	}
	b.add(m.subject, *e)
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
