//go:build netbsd || openbsd || (linux && kqueuemodel && kqueuepipe)

package poller

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// waker is a pipe. OpenBSD has no user events, NetBSD has them since 10.
type waker struct {
	reader, writer int
}

func (w *waker) open(kq kqueueFD) error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return fmt.Errorf("pipe2: %w", err)
	}
	w.reader, w.writer = fds[0], fds[1]
	add := change(w.reader, evfiltRead, evAdd|evClear)
	if _, err := kevent(kq, []kevent_t{add}, nil, nil); err != nil && err != unix.EINTR {
		return errors.Join(fmt.Errorf("kevent: add the wake-up pipe: %w", err), w.close())
	}
	return nil
}

// signal: a full pipe would have an event pending already.
func (w *waker) signal(kqueueFD) error {
	for {
		_, err := unix.Write(w.writer, []byte{0})
		switch err {
		case nil, unix.EAGAIN:
			return nil
		case unix.EINTR:
		default:
			return fmt.Errorf("write to the wake-up pipe: %w", err)
		}
	}
}

func (w *waker) owns(k *kevent_t) bool { return int(k.Ident) == w.reader }

// consume empties the pipe, lest it fill up; it never holds more than a wake-up's byte and that of Close.
// It must happen before Wait says that the wake-up is consumed, or it would take the byte of a wake-up sent
// after that.
func (w *waker) consume() error {
	var buf [8]byte
	if _, err := unix.Read(w.reader, buf[:]); err != nil && err != unix.EAGAIN && err != unix.EINTR {
		return fmt.Errorf("read from the wake-up pipe: %w", err)
	}
	return nil
}

func (w *waker) close() error { return errors.Join(unix.Close(w.reader), unix.Close(w.writer)) }
