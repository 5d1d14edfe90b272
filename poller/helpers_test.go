//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// soon bounds every wait for something that must come; quiet is how long one listens for what must not.
const (
	soon  = 5 * time.Second
	quiet = 20 * time.Millisecond
)

func openPoller(t testing.TB) *Poller {
	t.Helper()
	p, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// pair is a connected socket pair, closed at the test's end if the test has not done so.
func pair(t testing.TB) (near, far int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		must(t, unix.SetNonblock(fd, true))
		t.Cleanup(func() { unix.Close(fd) })
	}
	return fds[0], fds[1]
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func send(t testing.TB, fd int, s string) {
	t.Helper()
	if n, err := unix.Write(fd, []byte(s)); n != len(s) {
		t.Fatalf("write: %d of %d, %v", n, len(s), err)
	}
}

// receive reads once and wants exactly this; "" is the end.
func receive(t testing.TB, fd int, want string) {
	t.Helper()
	buf := make([]byte, 256)
	if n, err := unix.Read(fd, buf); err != nil || string(buf[:n]) != want {
		t.Fatalf("read %q, %v; want %q", buf[:max(n, 0)], err, want)
	}
}

// fill writes until the socket takes no more.
func fill(t testing.TB, fd int) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		if _, err := unix.Write(fd, buf); err == unix.EAGAIN {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// drain reads until there is nothing left.
func drain(t testing.TB, fd int) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		if n, err := unix.Read(fd, buf); err == unix.EAGAIN || n == 0 {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// expect waits until the events of fd together hold all the bits wanted; it fails at an event of another
// descriptor.
func expect(t testing.TB, p *Poller, fd int, want Ready) {
	t.Helper()
	var got Ready
	events := make([]Event, 8)
	for until := time.Now().Add(soon); got&want != want; {
		n, err := p.Wait(events, until)
		must(t, err)
		if n == 0 && !time.Now().Before(until) {
			t.Fatalf("fd %d: got %v within %v, want %v", fd, got, soon, want)
		}
		for _, e := range events[:n] {
			if e.FD != int32(fd) {
				t.Fatalf("event %v of a descriptor that is not %d", e, fd)
			}
			got |= e.Ready
		}
	}
}

// expectNothing listens for a while.
func expectNothing(t testing.TB, p *Poller) {
	t.Helper()
	events := make([]Event, 8)
	for until := time.Now().Add(quiet); time.Now().Before(until); {
		n, err := p.Wait(events, until)
		must(t, err)
		if n > 0 {
			t.Fatalf("events %v, want none", events[:n])
		}
	}
}

// settle takes whatever is reported now.
func settle(t testing.TB, p *Poller) {
	t.Helper()
	events := make([]Event, 8)
	for n := 1; n > 0; {
		var err error
		n, err = p.Wait(events, time.Now().Add(quiet))
		must(t, err)
	}
}
