package engine

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waitUnread waits until n bytes stand in the kernel's buffer of c's descriptor.
func waitUnread(t testing.TB, c *Conn, n int) {
	t.Helper()
	buf := make([]byte, n)
	eventually(t, "bytes to arrive", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		have, _, err := unix.Recvfrom(int(c.fd), buf, unix.MSG_PEEK)
		if err != nil && err != unix.EAGAIN {
			t.Fatal(err)
		}
		return have == n
	})
}

// cpuTime is what this process has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
