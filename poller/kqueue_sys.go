//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import "golang.org/x/sys/unix"

// The names kqueue.go uses are made of the system's here.

type (
	kqueueFD = int
	kevent_t = unix.Kevent_t
	timespec = unix.Timespec
)

const (
	evAdd       = unix.EV_ADD
	evDelete    = unix.EV_DELETE
	evClear     = unix.EV_CLEAR
	evEOF       = unix.EV_EOF
	evError     = unix.EV_ERROR
	evfiltRead  = unix.EVFILT_READ
	evfiltWrite = unix.EVFILT_WRITE
)

// kqueue: a child of fork does not inherit it, but a program put in this one's place would.
func kqueue() (kqueueFD, error) {
	kq, err := unix.Kqueue()
	if err == nil {
		unix.CloseOnExec(kq)
	}
	return kq, err
}

func kevent(kq kqueueFD, changes, events []kevent_t, timeout *timespec) (int, error) {
	return unix.Kevent(kq, changes, events, timeout)
}

func closeKqueue(kq kqueueFD) error { return unix.Close(kq) }

// setKevent fills fields whose types differ from system to system.
func setKevent(k *kevent_t, ident, filter, flags int) { unix.SetKevent(k, ident, filter, flags) }

func nsecToTimespec(ns int64) timespec { return unix.NsecToTimespec(ns) }
