//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/roost-ws/roost/loadtest"
)

// onTerminal runs roost on a terminal of its own, and collects what it draws.
func onTerminal(t *testing.T, args ...string) (p *process, keys *os.File) {
	t.Helper()
	cmd := exec.Command(roostBinary, args...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TERM=xterm-256color"}
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	must(t, err)
	p = &process{cmd: cmd, stderr: &transcript{}, exited: make(chan struct{})}
	drawn := make(chan struct{})
	go func() {
		defer close(drawn)
		_, _ = io.Copy(p.stderr, terminal) // it ends with EIO when the other side is gone
	}()
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // the exit code is read from ProcessState
		<-drawn
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // most have ended by now
		<-p.exited
		_ = terminal.Close()
	})
	return p, terminal
}

var escape = regexp.MustCompile(`\x1b(\[[0-9;?<>=$]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|P[^\x1b]*\x1b\\|[=>])`)

// text is what was drawn, without what moves the cursor and colours.
func text(drawn string) string { return escape.ReplaceAllString(drawn, "") }

func TestLoadtestLiveViewDrawsTheRunAndEndsByQ(t *testing.T) {
	t.Parallel()
	p, keys := onTerminal(t, echoWith(peerEcho(t), "--procs", "2", "--duration", "1m")...)
	for _, part := range []string{"echo ws://127.0.0.1:", "connections", "30 open, 0 failed", "of 60 s", "messages a second", "▁", "p99", "RSS", "woke at most", "2 processes", "q or Ctrl-C"} {
		p.stderr.waitFor(t, part)
	}
	_, err := keys.WriteString("q")
	must(t, err)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	_, after, found := strings.Cut(text(p.stderr.String()), "interrupted: what follows is of the time until then")
	if !found || !strings.Contains(after, "30 of 30 opened") || !strings.Contains(after, "messages") {
		t.Errorf("no report after the view:\n%s", after)
	}
}

func TestLoadtestLiveViewEndsByCtrlC(t *testing.T) {
	t.Parallel()
	p, keys := onTerminal(t, echoWith(peerEcho(t), "--duration", "1m")...)
	p.stderr.waitFor(t, "messages a second")
	_, err := keys.Write([]byte{3})
	must(t, err)
	if code := p.wait(t); code != 0 || !strings.Contains(text(p.stderr.String()), "30 of 30 opened") {
		t.Errorf("exit code %d:\n%s", code, text(p.stderr.String()))
	}
}

func TestLoadtestQuietDrawsNothing(t *testing.T) {
	t.Parallel()
	p, _ := onTerminal(t, echoWith(peerEcho(t), "--duration", "300ms", "--quiet")...)
	if code := p.wait(t); code != 0 || escape.MatchString(p.stderr.String()) {
		t.Errorf("exit code %d, drawn:\n%q", code, p.stderr)
	}
}

func TestBlocksAreInProportion(t *testing.T) {
	t.Parallel()
	for want, values := range map[string][]float64{
		"▁▅█": {0, 0.5, 1},
		"▁▁":  {0, 0},
		"":    nil,
	} {
		if got := blocks(values, 10); got != want {
			t.Errorf("%v: %q, want %q", values, got, want)
		}
	}
	if got := blocks([]float64{8, 1, 1}, 2); got != "██" {
		t.Errorf("the last two of three: %q", got)
	}
}

func TestErrorsAreShownByCause(t *testing.T) {
	t.Parallel()
	m := &screenModel{title: "echo", width: 100}
	m.take(loadtest.Progress{Stage: "measure", Of: 10 * time.Second, Elapsed: 5 * time.Second, Opened: 20, Open: 7, Failed: 4, Lost: 2, Causes: map[string]int{"reset": 1, "refused": 3}})
	drawn := text(m.View().Content)
	for _, part := range []string{"3 × refused, 1 × reset", "7 open, 4 failed, 2 lost", "50 %"} {
		if !strings.Contains(drawn, part) {
			t.Errorf("no %q in\n%s", part, drawn)
		}
	}
}

func TestLiveViewsHintFitsANarrowTerminal(t *testing.T) {
	t.Parallel()
	for _, stopping := range []bool{false, true} {
		for width, want := range map[int]string{40: "Ctrl-C", 100: "report"} {
			m := &screenModel{width: width, stopping: stopping}
			hint := text(m.hint(width - 12))
			if !strings.Contains(hint, want) || len(hint) > width-12 {
				t.Errorf("%d columns: %q", width, hint)
			}
		}
	}
}
