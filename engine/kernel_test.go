//go:build unix

package engine

import (
	"net"
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

// dialBare is a connection of the standard library without anything around it.
func dialBare(t testing.TB, s *Server) *net.TCPConn {
	t.Helper()
	c, err := net.DialTCP("tcp", nil, s.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// openBare opens n WebSockets that have said hello, as mere descriptors: what the
// heap then holds more is the server's.
func openBare(t testing.TB, s *Server, n int) []int {
	t.Helper()
	fds := make([]int, 0, n)
	t.Cleanup(func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	})
	sa := &unix.SockaddrInet4{Port: s.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	hello := append([]byte(upgradeHead), frameOf(Text, "hello")...)
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
		if err := unix.Connect(fd, sa); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, hello); err != nil {
			t.Fatal(err)
		}
	}
	return fds
}
