//go:build kqueuemodel

package poller

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A small model of kqueue, after the kqueue(2) pages of FreeBSD and macOS, so that kqueue.go and whatever
// is built on it can be tested over real sockets on Linux: `go test -tags kqueuemodel`. It is made to be
// unpleasant rather than fast: filters are apart from one another, a failed change ends the call or becomes
// an event, and every few calls are interrupted.
//
// It leaves out what kqueue.go does not use: byte counts in data, udata, one-shot and disabled events,
// other filters. Unlike kqueue it keeps the events of a closed descriptor while a duplicate of it is open.

type (
	kqueueFD = *kqueueModel
	timespec = unix.Timespec
	kevent_t struct {
		Ident  uint64
		Filter int16
		Flags  uint16
		Fflags uint32
		Data   int64
	}
)

const (
	evAdd    = 0x0001
	evDelete = 0x0002
	evClear  = 0x0020
	evError  = 0x4000
	evEOF    = 0x8000

	evfiltRead  = -1
	evfiltWrite = -2
	evfiltUser  = -11
	noteTrigger = 0x01000000

	interruptEvery = 7 // calls of kevent
)

// kqueueModel has an epoll for each of the two filters; closing a descriptor drops it from them, as it does
// from a kqueue. One goroutine at a time may ask it for events.
type kqueueModel struct {
	read, write int
	user        int // eventfd: not zero when the user event was triggered
	userAdded   atomic.Bool
	calls       atomic.Uint64
	writeFirst  bool // which filter is asked first alternates, or the other might never find room
	raw         [512]unix.EpollEvent
}

func kqueue() (kqueueFD, error) {
	m := &kqueueModel{read: -1, write: -1, user: -1}
	var failed [3]error
	m.read, failed[0] = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	m.write, failed[1] = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	m.user, failed[2] = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err := errors.Join(failed[:]...); err != nil {
		return nil, errors.Join(err, closeKqueue(m))
	}
	return m, nil
}

func closeKqueue(m kqueueFD) error {
	var err error
	for _, fd := range [...]int{m.read, m.write, m.user} {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	return err
}

func setKevent(k *kevent_t, ident, filter, flags int) {
	k.Ident, k.Filter, k.Flags = uint64(ident), int16(filter), uint16(flags)
}

func nsecToTimespec(ns int64) timespec { return unix.NsecToTimespec(ns) }

// kevent makes the changes, then, if there is room for events, waits for some. A change that fails is an
// event with EV_ERROR while there is room, or else ends the call.
func kevent(m kqueueFD, changes, events []kevent_t, timeout *timespec) (int, error) {
	failed := 0
	for i := range changes {
		err := m.change(&changes[i])
		if err == nil {
			continue
		}
		errno, ok := err.(syscall.Errno)
		if !ok || failed == len(events) {
			return 0, err
		}
		events[failed] = changes[i]
		events[failed].Flags, events[failed].Data = evError, int64(errno)
		failed++
	}
	if failed > 0 {
		return failed, nil
	}
	if m.calls.Add(1)%interruptEvery == 0 {
		return 0, syscall.EINTR
	}
	if len(events) == 0 {
		return 0, nil
	}
	return m.wait(events, timeout)
}

func (m *kqueueModel) change(k *kevent_t) error {
	var epfd int
	var event unix.EpollEvent
	switch k.Filter {
	case evfiltRead:
		epfd, event.Events = m.read, unix.EPOLLIN|unix.EPOLLRDHUP
	case evfiltWrite:
		epfd, event.Events = m.write, unix.EPOLLOUT
	case evfiltUser:
		return m.changeUser(k)
	default:
		return syscall.EINVAL
	}
	fd := int(k.Ident)
	event.Fd = int32(fd)
	if k.Flags&evClear != 0 {
		event.Events |= unix.EPOLLET
	}
	switch k.Flags & (evAdd | evDelete) {
	case evAdd:
		err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &event)
		if err == unix.EEXIST { // adding again modifies, and looks at the descriptor anew
			err = unix.EpollCtl(epfd, unix.EPOLL_CTL_MOD, fd, &event)
		}
		return err
	case evDelete:
		return unix.EpollCtl(epfd, unix.EPOLL_CTL_DEL, fd, nil)
	default:
		return syscall.EINVAL
	}
}

// changeUser knows one user event, and only the kind that EV_CLEAR resets.
func (m *kqueueModel) changeUser(k *kevent_t) error {
	if k.Flags&evAdd != 0 {
		m.userAdded.Store(true)
	}
	if !m.userAdded.Load() {
		return syscall.ENOENT
	}
	if k.Flags&evDelete != 0 {
		m.userAdded.Store(false)
		return nil
	}
	if k.Fflags&noteTrigger == 0 {
		return nil
	}
	if _, err := unix.Write(m.user, []byte{0: 1, 7: 0}); err != nil {
		return fmt.Errorf("model: trigger: %w", err)
	}
	return nil
}

func (m *kqueueModel) wait(events []kevent_t, timeout *timespec) (int, error) {
	fds := []unix.PollFd{
		{Fd: int32(m.read), Events: unix.POLLIN},
		{Fd: int32(m.write), Events: unix.POLLIN},
		{Fd: int32(m.user), Events: unix.POLLIN},
	}
	var left *timespec
	if timeout != nil {
		left = &timespec{Sec: timeout.Sec, Nsec: timeout.Nsec} // ppoll counts it down
	}
	for {
		n, err := m.collect(events)
		if n > 0 || err != nil {
			return n, err
		}
		if n, err = unix.Ppoll(fds, left, nil); n <= 0 {
			return 0, err
		}
	}
}

func (m *kqueueModel) collect(events []kevent_t) (int, error) {
	n := 0
	var count [8]byte
	switch _, err := unix.Read(m.user, count[:]); err {
	case nil:
		setKevent(&events[0], 0, evfiltUser, evClear)
		n = 1
	case unix.EAGAIN:
	default:
		return 0, fmt.Errorf("model: user event: %w", err)
	}
	order := [...]int16{evfiltRead, evfiltWrite}
	if m.writeFirst = !m.writeFirst; m.writeFirst {
		order = [...]int16{evfiltWrite, evfiltRead}
	}
	for _, filter := range order {
		got, err := m.collectFilter(filter, events[n:])
		if err != nil {
			return 0, err
		}
		n += got
	}
	return n, nil
}

func (m *kqueueModel) collectFilter(filter int16, events []kevent_t) (int, error) {
	if len(events) == 0 {
		return 0, nil
	}
	epfd, eof := m.read, uint32(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR)
	if filter == evfiltWrite {
		epfd, eof = m.write, unix.EPOLLHUP|unix.EPOLLERR
	}
	n, err := unix.EpollWait(epfd, m.raw[:min(len(events), len(m.raw))], 0)
	if err != nil {
		return 0, fmt.Errorf("model: filter %d: %w", filter, err)
	}
	for i, r := range m.raw[:n] {
		k := kevent_t{Ident: uint64(r.Fd), Filter: filter, Flags: evClear}
		if r.Events&eof != 0 {
			k.Flags |= evEOF
		}
		if r.Events&unix.EPOLLERR != 0 { // which error, only SO_ERROR could tell, and it would take it away
			k.Fflags = uint32(syscall.ECONNRESET)
		}
		events[i] = k
	}
	return n, nil
}
