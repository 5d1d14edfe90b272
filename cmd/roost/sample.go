package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// sampler keeps a line that repeats from filling the log: of those with one level
// and message, so many pass in each span, and the next span's first says how many
// were left out. Of errors and warnings that come from clients there may be as
// many as there are clients.
type sampler struct {
	slog.Handler
	seen *sampled
}

const (
	samplePass  = 20
	sampleSpan  = 10 * time.Second
	sampleKinds = 1000 // of lines told apart; those beyond pass
)

// sampled is shared by a handler and what With makes of it.
type sampled struct {
	mu    sync.Mutex
	kinds map[lineKind]*lineCount
}

type lineKind struct {
	level slog.Level
	msg   string
}

type lineCount struct {
	since time.Time
	n     int
}

func newSampler(h slog.Handler) sampler {
	return sampler{h, &sampled{kinds: make(map[lineKind]*lineCount)}}
}

// Handle passes r on, or leaves it out.
func (s sampler) Handle(ctx context.Context, r slog.Record) error {
	pass, left := s.seen.count(lineKind{r.Level, r.Message}, r.Time)
	if !pass {
		return nil
	}
	if left > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", left))
	}
	return s.Handler.Handle(ctx, r)
}

// WithAttrs keeps counting with s.
func (s sampler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sampler{s.Handler.WithAttrs(attrs), s.seen}
}

// WithGroup keeps counting with s.
func (s sampler) WithGroup(name string) slog.Handler {
	return sampler{s.Handler.WithGroup(name), s.seen}
}

// count notes a line and returns whether it passes, and how many like it were left
// out in the span before.
func (s *sampled) count(kind lineKind, now time.Time) (pass bool, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.kinds[kind]
	if c == nil {
		if len(s.kinds) < sampleKinds {
			s.kinds[kind] = &lineCount{now, 1}
		}
		return true, 0
	}
	if now.Sub(c.since) >= sampleSpan {
		left = max(0, c.n-samplePass)
		*c = lineCount{now, 0}
	}
	c.n++
	return c.n <= samplePass, left
}
