package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/roost-ws/roost/push"
)

// past is what the stream has of a channel.
type past struct {
	last   *entry  // the channel's last event; nil when it has none
	from   uint64  // events above it
	upTo   uint64  // all events up to it are there
	events []entry // none when none were asked for
	whole  bool    // nothing above from is gone
}

// Requests to the stream: this many at once, so that a crowd that comes back waits
// here and not in NATS, which drops what it can't queue; and answers of this size.
const (
	asking     = 64
	batch      = 512
	batchBytes = 1 << 20
	mostPast   = 16 << 20 // of one replay; more is not recovered
)

// errLags: a replica has not yet what the leader has, or has let go of it since.
var errLags = errors.New("natsbus: a replica of the stream lags behind")

const lagTime = 10 * time.Millisecond

// look reads what an attachment needs. Callers that want the same share one look.
func (b *Bus) look(ctx context.Context, at push.Attachment, subject string) (*past, error) {
	key := subject
	if at.Since != nil {
		key += "." + strconv.FormatUint(at.Since.Seq, 10)
	}
	// The look goes on for the others when one caller leaves.
	shared := b.looks.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), answerTime)
		defer cancel()
		if err := b.enter(ctx); err != nil {
			return nil, err
		}
		defer b.leave()
		for {
			p, err := b.read(ctx, at, subject)
			if !errors.Is(err, errLags) || ctx.Err() != nil {
				return p, err
			}
			time.Sleep(lagTime)
		}
	})
	select {
	case r := <-shared:
		p, _ := r.Val.(*past)
		return p, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// enter waits until less than asking requests are under way; leave ends one.
func (b *Bus) enter(ctx context.Context) error {
	select {
	case b.asking <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("natsbus: %d other clients wait for their history: %w", asking, ctx.Err())
	}
}

func (b *Bus) leave() { <-b.asking }

// await returns when the stream has been delivered up to seq, and at once when it
// isn't that long: a client may claim anything.
func (b *Bus) await(ctx context.Context, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if there, err := b.reaches(ctx, seq); err != nil || !there {
		return err
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

// reaches asks for each caller by itself: the end may have been short of seq a
// moment before the client got there.
func (b *Bus) reaches(ctx context.Context, seq uint64) (bool, error) {
	if err := b.enter(ctx); err != nil {
		return false, err
	}
	defer b.leave()
	if b.applied.Load() >= seq { // after the wait
		return true, nil
	}
	info, err := b.stream.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("natsbus: ask for the stream's end: %w", err)
	}
	return seq <= info.State.LastSeq, nil
}

// read applies the inclusive rule: whether a client that had all up to position S
// can be given all that followed. The stream drops a channel's events oldest first,
// so one at or below S that is still there says that none above S is gone.
// Otherwise the stream must not have dropped anything after S for its age, nor of
// this channel for its count.
func (b *Bus) read(ctx context.Context, at push.Attachment, subject string) (*past, error) {
	p := &past{upTo: b.applied.Load()}
	last, err := b.ask(ctx, map[string]any{"last_by_subj": subject})
	if err == nil && last != nil {
		p.last, err = b.entry(*last)
	}
	if err != nil || at.Since == nil {
		return p, err
	}
	p.from = at.Since.Seq
	if p.last != nil && p.last.event.Position.Seq <= p.from {
		p.whole = true
		return p, nil
	}
	retained := 0
	if p.last != nil {
		var first uint64
		if first, retained, err = b.readEvents(ctx, p, subject, at.Keep.Count); err != nil || retained < 0 {
			return p, err
		}
		if first == p.from {
			p.whole = true
			return p, nil
		}
		oldest, _, err := b.get(ctx, subject, 1, 1)
		if err != nil {
			return p, err
		}
		if len(oldest) > 0 && oldest[0].seq < p.from {
			p.whole = true
			return p, nil
		}
	}
	info, err := b.stream.Info(ctx)
	if err != nil {
		return p, fmt.Errorf("natsbus: ask for the stream's state: %w", err)
	}
	most := info.Config.MaxMsgsPerSubject
	p.whole = info.State.FirstSeq <= p.from+1 && (most <= 0 || int64(retained) < most)
	return p, nil
}

// readEvents fills in p.events up to p.last. first is the sequence of the first
// event at or above p.from, retained the number of all of them; it is negative
// when they are more than a replay may have.
func (b *Bus) readEvents(ctx context.Context, p *past, subject string, most int) (first uint64, retained int, err error) {
	end := p.last.event.Position.Seq
	size := 0
	for next := p.from; next <= end; {
		found, pending, err := b.get(ctx, subject, next, min(batch, most+2))
		if err != nil {
			return 0, 0, err
		}
		if len(found) == 0 {
			return 0, 0, errLags
		}
		if first == 0 {
			first = found[0].seq
		}
		for _, m := range found {
			e, err := b.entry(m)
			if err != nil {
				return 0, 0, err
			}
			if retained++; m.seq > p.from {
				p.events = append(p.events, *e)
			}
			size += e.size()
		}
		next = found[len(found)-1].seq + 1
		if next <= end && (size > mostPast || len(p.events) > most) {
			p.events = nil
			return first, -1, nil
		}
		if next > end {
			retained += int(pending)
		}
	}
	return first, retained, nil
}

// stored is one message of the stream.
type stored struct {
	subject string
	data    []byte
	seq     uint64
	at      time.Time
}
