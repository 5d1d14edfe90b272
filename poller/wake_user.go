//go:build darwin || dragonfly || freebsd || (linux && kqueuemodel && !kqueuepipe)

package poller

import (
	"fmt"
	"syscall"
)

// waker is a user event of the kqueue, which costs no descriptor.
type waker struct{}

func (waker) open(kq kqueueFD) error {
	add := change(0, evfiltUser, evAdd|evClear)
	if _, err := kevent(kq, []kevent_t{add}, nil, nil); err != nil && err != syscall.EINTR {
		return fmt.Errorf("kevent: add the user event: %w", err)
	}
	return nil
}

func (waker) signal(kq kqueueFD) error {
	trigger := change(0, evfiltUser, 0)
	trigger.Fflags = noteTrigger
	if _, err := kevent(kq, []kevent_t{trigger}, nil, nil); err != nil && err != syscall.EINTR {
		return fmt.Errorf("kevent: trigger the user event: %w", err)
	}
	return nil
}

func (waker) owns(k *kevent_t) bool { return k.Filter == evfiltUser }

// consume has nothing to do: EV_CLEAR resets the event when it is reported.
func (waker) consume() error { return nil }

func (waker) close() error { return nil }
