package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestALineThatRepeatsIsSampledAndCounted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := newSampler(slog.NewJSONHandler(&out, nil))
	now := time.Unix(1e9, 0)
	log := func(h slog.Handler, level slog.Level, msg string) {
		must(t, h.Handle(context.Background(), slog.NewRecord(now, level, msg, 0)))
	}
	other := h.WithAttrs([]slog.Attr{slog.String("app", "1")})
	for range 3 * samplePass {
		log(h, slog.LevelWarn, "slow")
		log(other, slog.LevelWarn, "slow") // counts with the same
	}
	log(h, slog.LevelError, "slow") // another level, another line
	if n := strings.Count(out.String(), `"WARN","msg":"slow"`); n != samplePass {
		t.Errorf("%d lines passed, want %d", n, samplePass)
	}
	if !strings.Contains(out.String(), `"ERROR","msg":"slow"`) || strings.Contains(out.String(), "left_out") {
		t.Errorf("the first span reads\n%s", &out)
	}
	out.Reset()
	now = now.Add(sampleSpan)
	log(h, slog.LevelWarn, "slow")
	log(h, slog.LevelWarn, "slow")
	if got := out.String(); strings.Count(got, `"left_out":100`) != 1 || strings.Count(got, "\n") != 2 {
		t.Errorf("the second span reads\n%s", got)
	}
}

func TestTheKindsOfLinesToldApartAreBounded(t *testing.T) {
	t.Parallel()
	h := newSampler(slog.DiscardHandler)
	for i := range 2 * sampleKinds {
		must(t, h.Handle(context.Background(), slog.NewRecord(time.Unix(1e9, 0), slog.LevelInfo, strings.Repeat("x", i), 0)))
	}
	if n := len(h.seen.kinds); n != sampleKinds {
		t.Errorf("%d kinds are kept, want %d", n, sampleKinds)
	}
}
