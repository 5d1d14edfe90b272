//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func dialGorilla(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	return dialGorillaWith(t, url, websocket.Dialer{})
}

func dialGorillaWith(t *testing.T, url string, d websocket.Dialer) *websocket.Conn {
	t.Helper()
	d.HandshakeTimeout = patience
	c, res, err := d.Dial(url, nil)
	if err != nil {
		t.Fatalf("dial %s: %v (%v)", url, err, res)
	}
	t.Cleanup(func() { _ = c.Close() }) // closed twice by some tests
	return c
}

// readClose reads on to the close frame, which gorilla answers, leaves, and
// returns the frame's code.
func readClose(t *testing.T, c *websocket.Conn) int {
	t.Helper()
	for {
		_, _, err := c.ReadMessage()
		if ce, ok := err.(*websocket.CloseError); ok {
			_ = c.Close() // the server may have closed first
			return ce.Code
		}
		if err != nil {
			t.Fatalf("want a close frame, got %v", err)
		}
	}
}

func TestFirstSignalClosesConnectionsAndExitsWith0(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			p, url := startEcho(t)
			c := dialGorilla(t, url)
			p.signal(t, s)
			if code := readClose(t, c); code != websocket.CloseGoingAway {
				t.Errorf("close code %d, want %d", code, websocket.CloseGoingAway)
			}
			if code := p.wait(t); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			if !strings.Contains(p.stderr.String(), "closing 1 connections") {
				t.Errorf("no progress line:\n%s", p.stderr)
			}
		})
	}
}

// stubborn opens a WebSocket that never answers anything.
func stubborn(t *testing.T, url string) {
	t.Helper()
	c := dialGorilla(t, url)
	must(t, c.WriteMessage(websocket.TextMessage, []byte("here")))
	_, _, err := c.ReadMessage()
	must(t, err)
}

func TestSecondSignalExitsWith130(t *testing.T) {
	t.Parallel()
	p, url := startEcho(t, "--shutdown-timeout", "1h")
	stubborn(t, url)
	began := time.Now()
	p.signal(t, syscall.SIGINT)
	p.stderr.waitFor(t, "interrupt again")
	p.signalUntilItEnds(t, syscall.SIGINT)
	if took := time.Since(began); took < echoTime {
		t.Errorf("ended %v after the first signal: none within %v of it may do that", took, echoTime)
	}
	if code := p.wait(t); code != exitForced {
		t.Errorf("exit code %d, want %d", code, exitForced)
	}
}

// signalUntilItEnds sends s as somebody who is impatient does: the first few may
// come too soon after the one before to count.
func (p *process) signalUntilItEnds(t *testing.T, s syscall.Signal) {
	t.Helper()
	eventually(t, "the end", func() error {
		if err := p.cmd.Process.Signal(s); err == nil {
			return errors.New("still running")
		}
		return nil
	})
}

// timeout(1) signals its child and then, with it, the child's process group.
func TestASignalThatComesTwiceAtOnceIsOne(t *testing.T) {
	t.Parallel()
	p, url := startEcho(t, "--shutdown-timeout", "1h")
	c := dialGorilla(t, url)
	must(t, c.WriteMessage(websocket.TextMessage, []byte("here")))
	_, _, err := c.ReadMessage()
	must(t, err)
	p.signal(t, syscall.SIGTERM)
	p.signal(t, syscall.SIGINT) // of two that are the same the kernel may make one
	if code := readClose(t, c); code != websocket.CloseGoingAway {
		t.Errorf("close code %d, want %d", code, websocket.CloseGoingAway)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0:\n%s", code, p.stderr)
	}
}

func TestShutdownEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	p, url := startEcho(t, "--shutdown-timeout", "50ms")
	stubborn(t, url)
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != exitFailure {
		t.Errorf("exit code %d, want %d", code, exitFailure)
	}
	if !strings.Contains(p.stderr.String(), "--shutdown-timeout (50ms)") {
		t.Errorf("no remedy:\n%s", p.stderr)
	}
}

func TestWithJSONLogsStderrHoldsNothingElse(t *testing.T) {
	t.Parallel()
	p, url := startEcho(t, "--shutdown-timeout", "1h", "--log-format", "json")
	stubborn(t, url)
	p.signal(t, syscall.SIGINT)
	p.stderr.waitFor(t, "interrupt again")
	p.signalUntilItEnds(t, syscall.SIGINT)
	p.wait(t)
	_, _, failed := runRoost(t, nil, "echo", "--log-format", "json", "--addr", "192.0.2.1:1")
	all := p.stderr.String() + failed
	for _, part := range []string{"closing 1 connections", "ending at once", "192.0.2.1:1"} {
		if !strings.Contains(all, part) {
			t.Errorf("%q was not said:\n%s", part, all)
		}
	}
	for line := range strings.Lines(all) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestServerOutlivesWhoeverReadItsOutput(t *testing.T) {
	t.Parallel()
	p := startRoost(t, nil, "echo", "--addr", "127.0.0.1:0", "--pprof", "127.0.0.1:0")
	url := strings.TrimPrefix(strings.TrimSpace(p.line(t)), "echo on ")
	must(t, p.pipe.Close())
	c := dialGorilla(t, url)
	must(t, c.WriteMessage(websocket.TextMessage, []byte("still there?")))
	_, data, err := c.ReadMessage()
	if err != nil || string(data) != "still there?" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestPprofServesOnLoopback(t *testing.T) {
	t.Parallel()
	p := startRoost(t, nil, "echo", "--addr", "127.0.0.1:0", "--pprof", "127.0.0.1:0")
	p.stderr.waitFor(t, "/debug/pprof/")
	_, rest, _ := strings.Cut(p.stderr.String(), "url=http://")
	addr, _, _ := strings.Cut(rest, "/")
	c, err := net.Dial("tcp", addr)
	must(t, err)
	must(t, c.Close())
}
