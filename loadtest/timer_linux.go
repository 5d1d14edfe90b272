package loadtest

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/roost-ws/roost/poller"
)

// timer wakes a loop at a moment, some 50 µs late. Waiting with a deadline is good
// to a millisecond only, because Go's own poller waits in those, and that error would stand in
// the latency of each message that is to leave at a time; see timerfd_create(2).
type timer struct {
	fd    int
	armed int64
}

func (t *timer) open(l *loop) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("timerfd_create: %w", err)
	}
	t.fd, t.armed = fd, never
	l.table = make([]*conn, fd+1)
	if err := l.poll.Update(fd, 0, poller.Readable); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	return nil
}

// arm asks for a wake-up at a moment on the run's clock; never takes it back.
// The event names a descriptor without a connection, and does nothing.
func (t *timer) arm(l *loop, at int64) bool {
	if at == t.armed {
		return true
	}
	var spec unix.ItimerSpec
	if at != never {
		wait := max(at-l.clock(), 1) // 0 would disarm
		spec.Value = unix.NsecToTimespec(wait)
	}
	if err := unix.TimerfdSettime(t.fd, 0, &spec, nil); err != nil {
		return false
	}
	t.armed = at
	return true
}

func (t *timer) close() { _ = unix.Close(t.fd) }
