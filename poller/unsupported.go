//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package poller

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// selector cannot be opened here, so its other methods are never called.
type selector struct{}

func (s *selector) open() error {
	return fmt.Errorf("no epoll and no kqueue on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (s *selector) update(int, Ready, Ready) error { return errors.ErrUnsupported }

func (s *selector) wait([]Event, time.Time) (int, bool, error) {
	return 0, false, errors.ErrUnsupported
}

func (s *selector) signal() error { return errors.ErrUnsupported }

func (s *selector) close() error { return errors.ErrUnsupported }
