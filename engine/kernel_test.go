package engine

import (
	"testing"

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
