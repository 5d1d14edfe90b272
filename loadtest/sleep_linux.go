package loadtest

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper wakes a goroutine at a moment, some 50 µs late where time.Sleep may be a
// millisecond late; see timer.
type sleeper struct {
	file *os.File
	fd   int // File.Fd would make it block
}

func newSleeper() (*sleeper, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("loadtest: timerfd_create: %w", err)
	}
	return &sleeper{os.NewFile(uintptr(fd), "timerfd"), fd}, nil
}

// sleep reports whether it slept to the end; ctx's end is the other reason.
func (s *sleeper) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	stop := context.AfterFunc(ctx, func() { _ = s.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if err := unix.TimerfdSettime(s.fd, 0, &spec, nil); err != nil {
		return false
	}
	var count [8]byte
	_, err := s.file.Read(count[:])
	return err == nil
}

func (s *sleeper) close() { _ = s.file.Close() }
