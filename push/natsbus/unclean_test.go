package natsbus_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/roost-ws/roost/push/natsbus"
)

// After a power cut the last events may be gone, and others get their sequences.
func TestAPowerCutEndsTheEpochAndTheEndOfAProcessDoesNot(t *testing.T) {
	for name, tt := range map[string]struct {
		sync, goesOn bool
		boot         string // that the mark is of afterwards; none: as it is left
	}{
		"clean end":            {goesOn: true},
		"power cut":            {boot: "another boot"},
		"power cut, with sync": {sync: true, goesOn: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open := func() *natsbus.Bus {
				e, err := natsbus.StartEmbedded(dir, tt.sync)
				if err != nil {
					t.Fatal(err)
				}
				return connect(t, natsbus.Options{Embedded: e})
			}
			first := open()
			r := listen(t, first, "c")
			publish(t, first, "c", "x", keep)
			r.await(t, 1)
			had := attach(t, first, "c", nil).Head
			if _, err := os.Stat(filepath.Join(dir, "roost.running")); (err == nil) == tt.sync {
				t.Errorf("the mark, with sync %v: %v", tt.sync, err)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if tt.boot != "" {
				if err := os.WriteFile(filepath.Join(dir, "roost.running"), []byte(tt.boot), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			second := open()
			got := attach(t, second, "c", &had)
			if got.Recovered != tt.goesOn || (got.Head.Epoch == had.Epoch) != tt.goesOn {
				t.Errorf("recovered %v at %+v, was at %+v", got.Recovered, got.Head, had)
			}
		})
	}
}

// The start that finds the mark may fail, or be killed, before an epoch has begun.
func TestAPowerCutIsRememberedUntilItsEpochHasEnded(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx     context.Context
		maxData int
	}{
		"not connected": {t.Context(), 9 << 20},
		"no time left":  {over, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mark := filepath.Join(dir, "roost.running")
			start := func() *natsbus.Embedded {
				e, err := natsbus.StartEmbedded(dir, false)
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			first := connect(t, natsbus.Options{Embedded: start()})
			r := listen(t, first, "c")
			publish(t, first, "c", "x", keep)
			r.await(t, 1)
			had := attach(t, first, "c", nil).Head
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(mark, []byte("another boot"), 0o600); err != nil {
				t.Fatal(err)
			}
			e := start()
			if found, err := os.ReadFile(mark); string(found) != "another boot" {
				t.Errorf("the mark is %q, %v: who is killed now has forgotten", found, err)
			}
			if _, err := natsbus.Connect(tt.ctx, natsbus.Options{Embedded: e, MaxData: tt.maxData, Logger: slog.New(slog.DiscardHandler)}); err == nil {
				t.Fatal("connected")
			}
			second := connect(t, natsbus.Options{Embedded: start()})
			got := attach(t, second, "c", &had)
			if got.Recovered || got.Head.Epoch == had.Epoch {
				t.Errorf("recovered %v at %+v, was at %+v", got.Recovered, got.Head, had)
			}
			if found, err := os.ReadFile(mark); err != nil || string(found) == "another boot" {
				t.Errorf("the mark is %q, %v, after its epoch", found, err)
			}
		})
	}
}
