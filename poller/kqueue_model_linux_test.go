//go:build kqueuemodel

package poller

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func openModel(t *testing.T) kqueueFD {
	t.Helper()
	m, err := kqueue()
	must(t, err)
	t.Cleanup(func() { must(t, closeKqueue(m)) })
	return m
}

func TestModelAFailedChangeIsAnErrnoOrAnEvent(t *testing.T) {
	m := openModel(t)
	near, _ := pair(t)
	missing := []kevent_t{change(near, evfiltRead, evDelete), change(near, evfiltWrite, evAdd|evClear)}
	if _, err := kevent(m, missing, nil, nil); err != syscall.ENOENT {
		t.Fatalf("%v, want ENOENT", err)
	}
	if err := unix.EpollCtl(m.write, unix.EPOLL_CTL_DEL, near, nil); err != unix.ENOENT {
		t.Fatalf("%v: the change after the failed one was made", err)
	}
	events := make([]kevent_t, 2)
	n, err := kevent(m, missing, events, nil)
	if n != 1 || err != nil || events[0].Flags&evError == 0 || events[0].Data != int64(syscall.ENOENT) {
		t.Fatalf("%d events %+v, %v", n, events[:n], err)
	}
}

func TestModelAnInterruptedCallHasMadeItsChanges(t *testing.T) {
	m := openModel(t)
	for range 2 * interruptEvery {
		near, _ := pair(t)
		_, err := kevent(m, []kevent_t{change(near, evfiltRead, evAdd|evClear)}, nil, nil)
		if err != nil && err != syscall.EINTR {
			t.Fatal(err)
		}
		must(t, unix.EpollCtl(m.read, unix.EPOLL_CTL_DEL, near, nil))
		if err == syscall.EINTR {
			return
		}
	}
	t.Fatal("no call was interrupted")
}

func TestModelFiltersAreEventsOfTheirOwn(t *testing.T) {
	m := openModel(t)
	near, far := pair(t)
	send(t, far, "x")
	must(t, unix.Close(far))
	both := []kevent_t{change(near, evfiltRead, evAdd|evClear), change(near, evfiltWrite, evAdd|evClear)}
	events := make([]kevent_t, 4)
	n, err := kevent(m, both, events, nil)
	if n != 2 || err != nil || events[0].Filter == events[1].Filter {
		t.Fatalf("%+v, %v; want one event a filter", events[:n], err)
	}
	for _, k := range events[:n] {
		if k.Flags&evEOF == 0 {
			t.Errorf("filter %d: no EV_EOF", k.Filter)
		}
	}
	receive(t, near, "x")
}

func TestModelTheUserEventMustBeAdded(t *testing.T) {
	m := openModel(t)
	trigger := change(0, evfiltUser, 0)
	trigger.Fflags = noteTrigger
	if _, err := kevent(m, []kevent_t{trigger}, nil, nil); err != syscall.ENOENT {
		t.Fatalf("%v, want ENOENT", err)
	}
	must(t, func() error {
		_, err := kevent(m, []kevent_t{change(0, evfiltUser, evAdd|evClear), trigger, trigger}, nil, nil)
		return err
	}())
	events := make([]kevent_t, 4)
	if n, err := kevent(m, nil, events, nil); n != 1 || err != nil || events[0].Filter != evfiltUser {
		t.Fatalf("%+v, %v; want one user event", events[:n], err)
	}
	if n, err := kevent(m, nil, events, &timespec{}); n != 0 || err != nil {
		t.Fatalf("%+v, %v; want none", events[:n], err)
	}
}
