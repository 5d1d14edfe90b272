//go:build !linux

package loadtest

import (
	"context"
	"time"
)

// sleeper wakes a goroutine at a moment, as well as the system does.
type sleeper struct{}

func newSleeper() (*sleeper, error) { return &sleeper{}, nil }

// sleep reports whether it slept to the end; ctx's end is the other reason.
func (*sleeper) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (*sleeper) close() {}
