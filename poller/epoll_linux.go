//go:build linux && !kqueuemodel

package poller

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// selector is an epoll object with an eventfd for its wake-up; see epoll(7) and eventfd(2).
type selector struct {
	epfd   int
	wakefd int
	raw    []unix.EpollEvent

	// The epoll descriptor is itself readable when it has events, so Go's own poller can watch it. An empty
	// wait parks the goroutine there, and no thread sits in epoll_wait.
	file  *os.File // owns epfd
	conn  syscall.RawConn
	until time.Time // the deadline set on file; setting it costs more than comparing
	ready func(uintptr) bool
	n     int // what ready found
	err   error
}

func (s *selector) open() error {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(epfd, true); err != nil { // os.NewFile watches only such
		return errors.Join(fmt.Errorf("fcntl: %w", err), unix.Close(epfd))
	}
	s.epfd, s.file = epfd, os.NewFile(uintptr(epfd), "epoll")
	if s.conn, err = s.file.SyscallConn(); err != nil {
		return errors.Join(err, s.file.Close())
	}
	if err := s.file.SetReadDeadline(time.Time{}); err != nil { // fails if it is not watched
		return errors.Join(err, s.file.Close())
	}
	if s.wakefd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return errors.Join(fmt.Errorf("eventfd: %w", err), s.file.Close())
	}
	if err := s.control(unix.EPOLL_CTL_ADD, s.wakefd, unix.EPOLLIN); err != nil {
		return errors.Join(err, s.close())
	}
	s.ready = func(uintptr) bool {
		s.n, s.err = s.poll()
		return s.n != 0 || s.err != nil
	}
	return nil
}

func (s *selector) update(fd int, from, to Ready) error {
	switch {
	case from == 0:
		return s.control(unix.EPOLL_CTL_ADD, fd, epollBits(to))
	case to != 0:
		return s.control(unix.EPOLL_CTL_MOD, fd, epollBits(to))
	}
	err := s.control(unix.EPOLL_CTL_DEL, fd, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func (s *selector) control(op, fd int, bits uint32) error {
	event := unix.EpollEvent{Events: bits | unix.EPOLLET, Fd: int32(fd)}
	switch err := unix.EpollCtl(s.epfd, op, fd, &event); err {
	case nil:
		return nil
	case unix.ENOSPC:
		return fmt.Errorf("epoll_ctl: raise sysctl fs.epoll.max_user_watches: %w", err)
	default:
		return fmt.Errorf("epoll_ctl: %w", err)
	}
}

func (s *selector) wait(events []Event, until time.Time) (n int, woken bool, err error) {
	if cap(s.raw) < len(events) {
		s.raw = make([]unix.EpollEvent, len(events))
	}
	s.raw = s.raw[:len(events)]
	if n, err = s.poll(); n == 0 && err == nil && until != now {
		// Those whom the caller gave work to run first: what they do is often answered at once, and to park and be
		// found ready by Go's poller costs more than both calls here.
		runtime.Gosched()
		if n, err = s.poll(); n == 0 && err == nil {
			n, err = s.park(until)
		}
	}
	n, woken = s.translate(events, s.raw[:n])
	return n, woken, err
}

// poll is epoll_wait without waiting. Such a call cannot block, so the scheduler need not be told of it.
func (s *selector) poll() (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(s.epfd),
			uintptr(unsafe.Pointer(&s.raw[0])), uintptr(len(s.raw)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, fmt.Errorf("epoll_wait: %w", errno)
		}
	}
}

// park blocks the goroutine until poll finds something or the deadline comes.
//
// An event between the last empty poll and the park is not lost: RawConn.Read first clears what Go's poller
// knew of the descriptor, then calls ready, and parks only if nothing was noted since the clearing. That is
// why the poll that wait made just before does not save the one here.
//
// While goroutines keep every processor busy without a break, Go looks at its poller only every 10 ms; then
// a parked Wait returns that late.
func (s *selector) park(until time.Time) (int, error) {
	if !until.Equal(s.until) {
		if err := s.file.SetReadDeadline(until); err != nil {
			return 0, fmt.Errorf("epoll deadline: %w", err)
		}
		s.until = until
	}
	s.n, s.err = 0, nil
	if err := s.conn.Read(s.ready); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, fmt.Errorf("epoll park: %w", err)
	}
	return s.n, s.err
}

func (s *selector) translate(events []Event, raw []unix.EpollEvent) (n int, woken bool) {
	for i := range raw {
		if raw[i].Fd == int32(s.wakefd) {
			woken = true
			continue
		}
		events[n] = Event{FD: raw[i].Fd, Ready: readyBits(raw[i].Events)}
		n++
	}
	return n, woken
}

// signal adds to the eventfd. Nobody reads it: each write is an edge of its own, and 2^64 of them do not
// happen.
func (s *selector) signal() error {
	one := uint64(1)
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(s.wakefd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
	if errno != 0 {
		return fmt.Errorf("eventfd write: %w", errno)
	}
	return nil
}

func (s *selector) close() error {
	return errors.Join(s.file.Close(), unix.Close(s.wakefd))
}

// epollBits: EPOLLHUP and EPOLLERR are always watched for, EPOLLRDHUP must be asked for.
func epollBits(r Ready) uint32 {
	bits := uint32(unix.EPOLLRDHUP)
	if r&Readable != 0 {
		bits |= unix.EPOLLIN
	}
	if r&Writable != 0 {
		bits |= unix.EPOLLOUT
	}
	return bits
}

func readyBits(bits uint32) Ready {
	if bits&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		return hungUp
	}
	var r Ready
	if bits&unix.EPOLLIN != 0 {
		r = Readable
	}
	if bits&unix.EPOLLOUT != 0 {
		r |= Writable
	}
	return r
}
