//go:build darwin || dragonfly || freebsd || netbsd || openbsd || (linux && kqueuemodel)

package poller

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// selector is a kqueue; see kqueue(2). Readable and Writable are filters of their own there: two
// registrations, two events. The names kevent_t, kqueue, kevent and so on are the system's, or the model's.
type selector struct {
	kq      kqueueFD
	waker   waker
	raw     []kevent_t
	timeout timespec
}

func (s *selector) open() error {
	kq, err := kqueue()
	if err != nil {
		return fmt.Errorf("kqueue: %w", err)
	}
	if err := s.waker.open(kq); err != nil {
		return errors.Join(err, closeKqueue(kq))
	}
	s.kq = kq
	return nil
}

// update gives all its changes to one kevent. Additions come first: the first change that fails ends the
// call, and only a deletion may fail, because of a filter that is not there.
//
// No room is given for events: the kernel would put a failed change there, but also an event that is for
// Wait.
func (s *selector) update(fd int, from, to Ready) error {
	var room [4]kevent_t
	changes, deleted := room[:0], from&^to
	for _, f := range filters {
		if to&f.ready != 0 {
			changes = append(changes, change(fd, f.filter, evAdd|evClear))
		}
	}
	added := len(changes)
	for _, f := range filters {
		if deleted&f.ready != 0 {
			changes = append(changes, change(fd, f.filter, evDelete))
		}
	}
	err := s.apply(changes)
	if !errors.Is(err, syscall.ENOENT) {
		return err
	}
	for i := added; i < len(changes); i++ {
		if err := s.apply(changes[i : i+1]); err != nil && !errors.Is(err, syscall.ENOENT) {
			return err
		}
	}
	return nil
}

var filters = [...]struct {
	ready  Ready
	filter int
}{{Readable, evfiltRead}, {Writable, evfiltWrite}}

func change(fd, filter, flags int) kevent_t {
	var k kevent_t
	setKevent(&k, fd, filter, flags)
	return k
}

// apply: a signal may end the call with EINTR, but only after all changes were made.
func (s *selector) apply(changes []kevent_t) error {
	if _, err := kevent(s.kq, changes, nil, nil); err != nil && err != syscall.EINTR {
		return fmt.Errorf("kevent: %w", err)
	}
	return nil
}

func (s *selector) wait(events []Event, until time.Time) (n int, woken bool, err error) {
	if cap(s.raw) < len(events) {
		s.raw = make([]kevent_t, len(events))
	}
	for {
		got, err := kevent(s.kq, nil, s.raw[:len(events)], s.remaining(until))
		if err != nil && err != syscall.EINTR {
			return 0, false, fmt.Errorf("kevent: %w", err)
		}
		if err == nil && got > 0 {
			return s.translate(events, s.raw[:got])
		}
		if !until.IsZero() && !time.Now().Before(until) {
			return 0, false, nil
		}
	}
}

// remaining is rounded up to a microsecond: kernels that count coarser than nanoseconds would round it
// down, at the end to nothing, and Wait would spin. An hour is the most, as kernels reject what overflows
// their ticks.
func (s *selector) remaining(until time.Time) *timespec {
	if until.IsZero() {
		return nil
	}
	left := min(max(time.Until(until), 0), time.Hour)
	s.timeout = nsecToTimespec(int64((left + time.Microsecond - 1).Truncate(time.Microsecond)))
	return &s.timeout
}

func (s *selector) translate(events []Event, raw []kevent_t) (n int, woken bool, err error) {
	for i := range raw {
		if s.waker.owns(&raw[i]) {
			woken = true
			continue
		}
		events[n] = Event{FD: int32(raw[i].Ident), Ready: readyBits(&raw[i])}
		n++
	}
	if woken {
		err = s.waker.consume()
	}
	return n, woken, err
}

// readyBits: EV_EOF may come with data still queued, and EV_ERROR says that the descriptor is not usable
// any more.
func readyBits(k *kevent_t) Ready {
	switch {
	case k.Flags&(evEOF|evError) != 0:
		return hungUp
	case k.Filter == evfiltWrite:
		return Writable
	default:
		return Readable
	}
}

func (s *selector) signal() error { return s.waker.signal(s.kq) }

func (s *selector) close() error { return errors.Join(closeKqueue(s.kq), s.waker.close()) }
