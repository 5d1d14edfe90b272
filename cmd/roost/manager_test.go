//go:build linux

package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheServiceManagerIsToldWhatHappens(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	defer l.Close()
	told := func(want string) {
		t.Helper()
		buf := make([]byte, 1024)
		for {
			must(t, l.SetReadDeadline(time.Now().Add(patience)))
			n, err := l.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if strings.HasPrefix(string(buf[:n]), want) {
				return
			}
		}
	}
	p, _ := startLine(t, []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=100000"}, "echo", "--addr", "127.0.0.1:0")
	told("READY=1")
	told("WATCHDOG=1")
	p.signal(t, syscall.SIGHUP)
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1")
	heir := p.handOver(t, p.cmd.Process.Pid)
	told(fmt.Sprintf("MAINPID=%d", heir))
	p.wait(t)
	must(t, syscall.Kill(heir, syscall.SIGTERM))
	told("STOPPING=1")
}
