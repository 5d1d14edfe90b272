//go:build unix

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"
)

// startLine starts a roost whose successors write where it does, and returns the
// first line of its output.
func startLine(t *testing.T, env []string, args ...string) (p *process, line string) {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	stderr := &transcript{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(stderr, r) // its end is that of the last process
	}()
	cmd := roostCommand(t, env, args...)
	cmd.Stderr = w
	p = startHeard(t, cmd, stderr)
	must(t, w.Close())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // most have ended by now
		for _, pid := range p.heirs(t) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-ended
		_ = r.Close()
		if t.Failed() {
			t.Logf("stderr:\n%s", stderr)
		}
	})
	return p, strings.TrimSpace(p.line(t))
}

var heirLine = regexp.MustCompile(`another process serves now" pid=(\d+)`)

// heirs are the processes that took over, the first one's first.
func (p *process) heirs(t *testing.T) (pids []int) {
	t.Helper()
	for _, m := range heirLine.FindAllStringSubmatch(p.stderr.String(), -1) {
		pid, err := strconv.Atoi(m[1])
		must(t, err)
		pids = append(pids, pid)
	}
	return pids
}

// handOver has process pid start its successor, and returns that one's pid.
func (p *process) handOver(t *testing.T, pid int) int {
	t.Helper()
	n := len(p.heirs(t))
	must(t, syscall.Kill(pid, syscall.SIGUSR2))
	eventually(t, "another process that serves", func() error {
		if len(p.heirs(t)) == n+1 {
			return nil
		}
		return errors.New("none yet")
	})
	return p.heirs(t)[n]
}

// dials is how many connections the tests make across restarts: ROOST_TEST_DIALS, or
// few.
func dials(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("ROOST_TEST_DIALS"))
	if err != nil {
		return fewDials
	}
	return n
}

// storm makes connections, 16 at a time, and uses each, until all are made; during
// is called when a third has been. It returns the errors.
func storm(t *testing.T, n int, use func() error, during func()) (failures []error) {
	t.Helper()
	var made atomic.Int64
	var mu sync.Mutex
	var workers sync.WaitGroup
	third := make(chan struct{})
	for range 16 {
		workers.Go(func() {
			for i := made.Add(1); i <= int64(n); i = made.Add(1) {
				if i == int64(n/3) {
					close(third)
				}
				if err := use(); err != nil {
					mu.Lock()
					failures = append(failures, err)
					mu.Unlock()
				}
			}
		})
	}
	<-third
	during()
	workers.Wait()
	return failures
}

// greetAndEcho dials, upgrades, and has one message answered: send, if any, by what
// contains want.
func greetAndEcho(url, send, want string) func() error {
	d := websocket.Dialer{HandshakeTimeout: patience, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	return func() error {
		c, _, err := d.Dial(url, nil)
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		defer c.Close()
		if err := c.WriteMessage(websocket.TextMessage, []byte(send)); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		for {
			_, text, err := c.ReadMessage()
			if err != nil {
				return fmt.Errorf("read: %w", err)
			}
			if strings.Contains(string(text), want) {
				return nil
			}
		}
	}
}

// The old process and the new one accept from the same sockets, and what waits in
// their queues is nobody's alone: so no attempt to connect can fail.
func TestRestartRefusesNoConnection(t *testing.T) {
	t.Parallel()
	cert, key := writePair(t, t.TempDir(), 1)
	serve := []string{"serve", "--addr", "127.0.0.1:0", "--key", "restart-key", "--secret", "restart-secret"}
	const ping, pong = `{"event":"pusher:ping","data":"{}"}`, "pusher:pong"
	for _, tt := range []struct {
		name       string
		args       []string
		send, want string
	}{
		{"echo", []string{"echo", "--addr", "127.0.0.1:0"}, "hello", "hello"},
		{"echo, a socket a loop", []string{"echo", "--addr", "127.0.0.1:0", "--loops", "3", "--reuseport"}, "hello", "hello"},
		{"echo with TLS", []string{"echo", "--addr", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key}, "hello", "hello"},
		{"serve", serve, ping, pong},
		{"serve with TLS and nothing to give up", append(serve[:len(serve):len(serve)], "--tls-cert", cert, "--tls-key", key, "--bus", "memory"), ping, pong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, line := startLine(t, []string{"XDG_RUNTIME_DIR=" + t.TempDir()}, tt.args...)
			_, addr, ok := strings.Cut(strings.TrimSuffix(line, "/"), "://")
			if !ok {
				t.Fatalf("first line: %q", line)
			}
			scheme, path := "ws://", "/"
			if strings.Contains(tt.name, "TLS") {
				scheme = "wss://"
			}
			if strings.HasPrefix(tt.name, "serve") {
				path = "/app/restart-key?protocol=7"
			}
			var last int
			n := dials(t)
			failures := storm(t, n, greetAndEcho(scheme+addr+path, tt.send, tt.want), func() {
				last = p.handOver(t, p.cmd.Process.Pid)
			})
			if len(failures) > 0 {
				t.Errorf("%d of %d connections failed, the first with: %v", len(failures), n, failures[0])
			}
			if code := p.wait(t); code != 0 {
				t.Errorf("the old process ended with %d", code)
			}
			must(t, greetAndEcho(scheme+addr+path, tt.send, tt.want)())
			must(t, syscall.Kill(last, syscall.SIGTERM))
			_, err := io.Copy(io.Discard, p.stdout) // ends with the last process that has it
			must(t, err)
		})
	}
}

func TestAConnectionIsKeptUntilTheNewProcessServes(t *testing.T) {
	t.Parallel()
	p, line := startLine(t, nil, "echo", "--addr", "127.0.0.1:0")
	c := dialGorilla(t, strings.TrimPrefix(line, "echo on "))
	p.handOver(t, p.cmd.Process.Pid)
	must(t, c.WriteMessage(websocket.TextMessage, []byte("still there?")))
	if _, text, err := c.ReadMessage(); err != nil || string(text) != "still there?" {
		t.Fatalf("got %q, %v", text, err)
	}
	if code := readClose(t, c); code != websocket.CloseGoingAway {
		t.Errorf("close code %d, want %d", code, websocket.CloseGoingAway)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestTheOldProcessGoesOnWhenTheNewOneCannotStart(t *testing.T) {
	t.Parallel()
	file := settingsFile(t, "max-conns: 100\n")
	p, line := startLine(t, nil, "echo", "--addr", "127.0.0.1:0", "--config", file)
	must(t, os.WriteFile(file, []byte("max-conns: lots\n"), 0o600))
	p.signal(t, syscall.SIGUSR2)
	p.stderr.waitFor(t, "no process takes over: this one goes on")
	p.stderr.waitFor(t, `max-conns \"lots\"`)
	must(t, greetAndEcho(strings.TrimPrefix(line, "echo on "), "hello", "hello")())
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestWhatWasMadeUpOutlivesARestart(t *testing.T) {
	t.Parallel()
	env := []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
	p, line := startLine(t, env, "serve", "--addr", "127.0.0.1:0")
	_, url, _ := strings.Cut(line, "push server on ")
	key := func(stdout *bufio.Reader) string {
		for {
			text, err := stdout.ReadString('\n')
			must(t, err)
			if _, rest, ok := strings.Cut(text, "key "); ok {
				key, _, _ := strings.Cut(rest, ",")
				return key
			}
		}
	}
	before := key(p.stdout)
	p.handOver(t, p.cmd.Process.Pid)
	if after := key(p.stdout); after != before {
		t.Errorf("key %s, before %s", after, before)
	}
	p.wait(t)
	if code, _, stderr := runRoost(t, env, "pub", "news", "x", "--addr", url); code != 0 {
		t.Errorf("pub after the restart: exit code %d: %s", code, stderr)
	}
}

// A socket that a service manager holds keeps its queue while no process runs.
func TestASocketOfTheServiceManagerIsServedByEachProcessInTurn(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	url := "ws://" + l.Addr().String() + "/"
	results := make(chan error, 20)
	for range 2 {
		for range 10 {
			go func() { results <- greetAndEcho(url, "hello", "hello")() }()
		}
		p := startActivated(t, l)
		for range 10 {
			must(t, <-results)
		}
		p.signal(t, syscall.SIGTERM)
		if code := p.wait(t); code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
	}
}

// startActivated runs roost as systemd would, with l as its descriptor 3. Only the
// process itself can say which pid it will have: a shell that becomes it.
func startActivated(t *testing.T, l net.Listener, more ...string) *process {
	t.Helper()
	f, err := l.(*net.TCPListener).File()
	must(t, err)
	defer f.Close()
	cmd := roostCommand(t, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=roost"}, append([]string{"echo", "--addr", "127.0.0.1:1"}, more...)...)
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.ExtraFiles = "/bin/sh", []*os.File{f}
	return startProcess(t, cmd)
}

// LISTEN_FDS says for how many sockets memory is taken, before any is looked at.
func TestActivationRefusesSocketsThatThereAreNot(t *testing.T) {
	t.Parallel()
	for fds, want := range map[string]string{"4611686018427387904": "at most 1024", "1025": "at most 1024", "2": "(LISTEN_FDS)"} {
		cmd := roostCommand(t, []string{"LISTEN_FDS=" + fds}, "echo", "--addr", "127.0.0.1:0")
		cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "goroutine ") {
			t.Errorf("LISTEN_FDS=%s: %v, want a word of %q:\n%s", fds, err, want, out)
		}
	}
}
