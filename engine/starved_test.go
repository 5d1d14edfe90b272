//go:build unix

package engine

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/internal/testio"
	"golang.org/x/sys/unix"
)

// Out of descriptors, a server pauses accepting, says so once, serves those that it
// has, and goes on by itself. A process of its own loses the descriptors.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"pool", "loop"} {
		t.Run(d, func(t *testing.T) {
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), "ENGINE_TEST_CHILD=starved", "ENGINE_TEST_DISPATCH="+d)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(2*patience, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "recovered") {
				t.Fatalf("%v\n%s", err, out.String())
			}
		})
	}
}

func starvedChild() int {
	if err := starve(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("recovered")
	return 0
}

func starve() error {
	log := new(testio.Log)
	d := DispatchPool
	if os.Getenv("ENGINE_TEST_DISPATCH") == "loop" {
		d = DispatchLoop
	}
	s, err := NewServer(ServerOptions{Addr: "127.0.0.1:0", Config: Config{Loops: 1, Dispatch: d, Logger: slog.New(slog.NewTextHandler(log, nil))},
		Handler: Handler{Message: func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }}})
	if err != nil {
		return err
	}
	warm, err := net.Listen("tcp", "127.0.0.1:0") // Go's own poller needs descriptors, once
	if err != nil {
		return err
	}
	_ = warm.Close()
	limit := unix.Rlimit{Cur: 64, Max: 64}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	var hoard []int // all but one of the descriptors
	for {
		fd, err := unix.Dup(0)
		if err != nil {
			break
		}
		hoard = append(hoard, fd)
	}
	free := func(n int) {
		for range n {
			_ = unix.Close(hoard[0])
			hoard = hoard[1:]
		}
	}
	free(2)
	addr := s.Addr().String()
	first, err := net.Dial("tcp", addr) // one here, one there
	if err != nil {
		return err
	}
	if err := first.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := hello(first); err != nil {
		return fmt.Errorf("the first: %w", err)
	}
	for round := 1; round <= 2; round++ {
		free(1)
		second, err := net.Dial("tcp", addr) // none is left to accept it
		if err != nil {
			return err
		}
		if err := second.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		for end := time.Now().Add(patience); log.Count("accepting paused") < round; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Errorf("no word of it in the log: %s", log.String())
			}
		}
		var before, after unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
		time.Sleep(500 * time.Millisecond)
		_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
		if n := log.Count("accepting paused"); n != round {
			return fmt.Errorf("said %d times, want %d", n, round)
		}
		if used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano(); used > int64(200*time.Millisecond) {
			return fmt.Errorf("%v of CPU in half a second without descriptors", time.Duration(used))
		}
		if err := echo(first); err != nil {
			return fmt.Errorf("the first, meanwhile: %w", err)
		}
		free(1)
		if err := hello(second); err != nil {
			return fmt.Errorf("the second, after: %w", err)
		}
		if n := log.Count("accepting again"); n != round {
			return fmt.Errorf("%d times accepting again, want %d", n, round)
		}
	}
	return nil
}

func hello(c net.Conn) error {
	if _, err := c.Write([]byte(upgradeHead)); err != nil {
		return err
	}
	if got, err := readAll(c, 129); err != nil || !strings.HasPrefix(got, "HTTP/1.1 101") {
		return fmt.Errorf("%q %w", got, err)
	}
	return echo(c)
}

func echo(c net.Conn) error {
	if _, err := c.Write(frameOf(Text, "hi")); err != nil {
		return err
	}
	got, err := readAll(c, 4)
	if err == nil && got != "\x81\x02hi" {
		err = fmt.Errorf("echo %q", got)
	}
	return err
}

func readAll(c net.Conn, n int) (string, error) {
	b := make([]byte, n)
	for at := 0; at < n; {
		k, err := c.Read(b[at:])
		if err != nil {
			return string(b[:at]), err
		}
		at += k
	}
	return string(b), nil
}
