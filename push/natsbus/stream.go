package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What the stream's metadata has: the number of slots, which is in its subjects,
// and a generation, which begins a new epoch when sequences were given out twice.
const (
	metaSlots      = "roost-slots"
	metaGeneration = "roost-generation"
)

// sameID is how long NATS remembers the id of an event, so that one that is
// published again under it is stored once. It costs about 100 bytes an event.
const sameID = time.Minute

// openStream finds the stream, or makes it.
func (b *Bus) openStream(ctx context.Context) (jetstream.Stream, error) {
	s, err := b.js.Stream(ctx, b.opts.Prefix)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = b.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: b.opts.Prefix, Subjects: []string{b.opts.Prefix + ".in.>"}, Storage: jetstream.FileStorage,
			// Events go oldest first, by count or by age, and never from the middle:
			// that is what resuming relies on. So no event has a time to live of its own.
			MaxMsgsPerSubject: int64(b.opts.Count), MaxAge: b.opts.Age, Discard: jetstream.DiscardOld,
			Replicas: b.opts.Replicas, AllowDirect: true, RePublish: &jetstream.RePublish{Source: b.opts.Prefix + ".in.>", Destination: b.opts.Prefix + ".live.>"},
			Duplicates: min(sameID, b.opts.Age),
			Metadata:   map[string]string{metaSlots: strconv.Itoa(slots), metaGeneration: "0"},
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another server was faster
			s, err = b.js.Stream(ctx, b.opts.Prefix)
		}
	}
	if err != nil {
		return nil, err
	}
	return s, checkStream(s.CachedInfo())
}

func checkStream(info *jetstream.StreamInfo) error {
	if got := info.Config.Metadata[metaSlots]; got != strconv.Itoa(slots) {
		return fmt.Errorf("stream %s was made for %q slots and this version has %d: use another prefix, or the version that made it", info.Config.Name, got, slots)
	}
	if !info.Config.AllowDirect || info.Config.RePublish == nil {
		return fmt.Errorf("stream %s was made without direct get or republishing: use another prefix", info.Config.Name)
	}
	return nil
}

// epochOf changes when the stream is made anew, and when somebody counts up its
// generation because it lost its end.
func epochOf(info *jetstream.StreamInfo) string {
	epoch := strconv.FormatInt(info.Created.UnixNano(), 36)
	if g := info.Config.Metadata[metaGeneration]; g != "" && g != "0" {
		epoch += "." + g
	}
	return epoch
}
