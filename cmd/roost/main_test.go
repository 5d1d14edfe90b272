package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-ws/roost/internal/testio"
	"go.uber.org/goleak"
)

// patience bounds every wait: long, since it is only reached by a failure.
const patience = 30 * time.Second

// roostBinary is the command under test, built once by TestMain.
var roostBinary string

func TestMain(m *testing.M) {
	if options := os.Getenv(natsEnv); options != "" {
		os.Exit(runNATS(options))
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "roost-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	roostBinary = filepath.Join(dir, "roost")
	build := exec.Command("go", append(append([]string{"build"}, buildFlags...), "-o", roostBinary, ".")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	// Most tests wait for processes and for clocks: more of them than there are processors
	// may run. A -parallel on the command line comes after this.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	before := goleak.IgnoreCurrent() // importing ants began a pool of its own
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(before); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// process is a running roost.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	pipe   *os.File // what stdout reads from
	stderr *transcript
	exited chan struct{} // closed once cmd.Wait has returned
}

// startRoost runs roost with no environment of its own but env.
func startRoost(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startProcess(t, roostCommand(t, env, args...))
}

func roostCommand(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(roostBinary, args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	return cmd
}

func startProcess(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	stderr := &transcript{}
	cmd.Stderr = stderr
	return startHeard(t, cmd, stderr)
}

// startHeard starts cmd, whose stderr gets into the transcript.
func startHeard(t *testing.T, cmd *exec.Cmd, stderr *transcript) *process {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	cmd.Stdout = w
	must(t, cmd.Start())
	must(t, w.Close())
	p := &process{cmd, bufio.NewReader(r), r, stderr, make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the exit code is read from ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // most have ended by now
		<-p.exited
		_ = r.Close() // closed twice by some tests
		if t.Failed() {
			t.Logf("stderr of %s:\n%s", strings.Join(cmd.Args, " "), stderr)
		}
	})
	return p
}

// startEcho runs roost echo on a free port and returns its ws:// or wss:// address.
func startEcho(t *testing.T, args ...string) (p *process, url string) {
	t.Helper()
	p = startRoost(t, nil, append([]string{"echo", "--addr", "127.0.0.1:0"}, args...)...)
	line := p.line(t)
	_, url, ok := strings.Cut(strings.TrimSpace(line), "echo on ")
	if !ok {
		t.Fatalf("first line of roost echo names no address: %q\n%s", line, p.stderr)
	}
	return p, url
}

// line is the next line of stdout; empty when roost ended without one.
func (p *process) line(t *testing.T) string {
	t.Helper()
	got := make(chan string, 1)
	go func() {
		s, _ := p.stdout.ReadString('\n') // the end of the output gives what there is
		got <- s
	}()
	select {
	case s := <-got:
		return s
	case <-time.After(patience):
		t.Fatalf("no line on stdout within %v", patience)
		return ""
	}
}

// wait returns the exit code; a process ended by a signal has -1.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("still running after %v", patience)
		return 0
	}
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	must(t, p.cmd.Process.Signal(s))
}

// runRoost runs roost to its end.
func runRoost(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := startRoost(t, env, args...)
	var out bytes.Buffer
	_, err := out.ReadFrom(p.stdout)
	must(t, err)
	return p.wait(t), out.String(), p.stderr.String()
}

// transcript is output that others wait for a part of.
type transcript struct{ testio.Log }

func (s *transcript) waitFor(t *testing.T, part string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%q on stderr", part), func() error {
		if strings.Contains(s.String(), part) {
			return nil
		}
		return errors.New(s.String())
	})
}

func eventually(t *testing.T, what string, holds func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
