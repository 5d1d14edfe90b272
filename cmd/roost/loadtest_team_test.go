//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

// echoWith is a run of echo in several processes that lasts.
func echoWith(url string, more ...string) []string {
	return append([]string{"loadtest", "echo", url, "--conns", "30", "--rate", "600", "--warmup", "0s"}, more...)
}

func readJSON(t *testing.T, name string) (r loadtest.Report) {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	must(t, json.Unmarshal(text, &r))
	return r
}

// paced reports whether e has what 600 messages a second come to within 500 ms, or at
// most within all of the time: a busy machine has parts begin one after the other.
func paced(e *loadtest.EchoReport) bool {
	n := float64(e.Latency.Count)
	return n > 600*0.5-40 && n < 600*e.Measured.Seconds()+40
}

func TestLoadtestProcsAreOneRun(t *testing.T) {
	t.Parallel()
	url, out := peerEcho(t), filepath.Join(t.TempDir(), "report.json")
	code, stdout, stderr := runRoost(t, []string{"ROOST_SIZE=100"}, echoWith(url, "--procs", "3", "--duration", "500ms", "--out", out, "--expect", "loss==0", "--expect", "failed==0")...)
	if code != 0 || !strings.Contains(stdout, "30 of 30 opened") || !strings.Contains(stdout, "3 loops in 3 processes") {
		t.Fatalf("exit code %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
	r := readJSON(t, out)
	if r.Echo.Size != 100 || r.Echo.Rate != 600 || !paced(r.Echo) || len(r.Members) != 3 || r.Harness.Processes != 3 {
		t.Errorf("echo %+v of %d members, harness %+v", r.Echo, len(r.Members), r.Harness)
	}
}

func TestLoadtestBroadcastsInSeveralProcesses(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--broadcast")
	for _, c := range []struct {
		scenario, says string
		more           []string
	}{
		{"broadcast", "10 of 64 B to 30 receivers", []string{"--rate", "20", "--expect", "loss==0", "--expect", "incomplete==0", "--expect", "duplicates==0"}},
		{"slow", "3 of 30, which never read", []string{"--slow", "10%", "--rate", "20", "--expect", "loss==0"}},
	} {
		args := append([]string{"loadtest", c.scenario, url, "--procs", "3", "--conns", "30", "--warmup", "100ms", "--duration", "500ms"}, c.more...)
		if code, stdout, stderr := runRoost(t, nil, args...); code != 0 || !strings.Contains(stdout, c.says) || !strings.Contains(stdout, "3 loops in 3 processes") {
			t.Errorf("%s: exit code %d, stderr %q, report without %q:\n%s", c.scenario, code, stderr, c.says, stdout)
		}
	}
}

// helpers are the process ids of p's children.
func helpers(t *testing.T, p *process, want int) (pids []int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d helpers", want), func() error {
		pids = pids[:0]
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
		must(t, err)
		for _, task := range tasks {
			text, _ := os.ReadFile(task) // a thread may have ended
			for _, field := range strings.Fields(string(text)) {
				pid, err := strconv.Atoi(field)
				must(t, err)
				pids = append(pids, pid)
			}
		}
		if len(pids) == want {
			return nil
		}
		return fmt.Errorf("there are %d", len(pids))
	})
	return pids
}

func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("end of process %d", pid), func() error {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		// A child whose parent died stays a zombie until somebody reaps it.
		if err != nil || bytes.Contains(text, []byte(") Z ")) {
			return nil
		}
		return errors.New("it still runs")
	})
}

// measuring starts a long run with helpers, and returns when it measures.
func measuring(t *testing.T, args ...string) (p *process, pids []int) {
	t.Helper()
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("processes are looked at in /proc")
	}
	p = startRoost(t, nil, echoWith(peerEcho(t), append(args, "--procs", "3", "--duration", "1m")...)...)
	p.stderr.waitFor(t, "measure")
	return p, helpers(t, p, 3)
}

func TestLoadtestInterruptedWithProcsReportsWhatThereIs(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "report.json")
	p, pids := measuring(t, "--out", out)
	p.signal(t, syscall.SIGINT)
	if code := p.wait(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if r := readJSON(t, out); !r.Interrupted || r.Echo == nil || r.Echo.Messages == 0 || r.Connections.Opened != 30 {
		t.Errorf("interrupted %v, echo %+v, connections %+v", r.Interrupted, r.Echo, r.Connections)
	}
	for _, pid := range pids {
		gone(t, pid)
	}
}

func TestLoadtestHelperThatDiesIsNamedAndEndsTheRun(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "report.json")
	p, pids := measuring(t, "--out", out)
	must(t, syscall.Kill(pids[1], syscall.SIGQUIT)) // the Go runtime says its last words
	if code := p.wait(t); code != exitFailure {
		t.Errorf("exit code %d, want %d", code, exitFailure)
	}
	if says := p.stderr.String(); !strings.Contains(says, fmt.Sprintf("(pid %d): died: ", pids[1])) || !strings.Contains(says, "it said last: ") {
		t.Errorf("stderr does not name helper %d and its last words:\n%s", pids[1], says)
	}
	if r := readJSON(t, out); !r.Interrupted || r.Connections.Opened != 20 {
		t.Errorf("interrupted %v, connections %+v; want those of the two that are left", r.Interrupted, r.Connections)
	}
}

func TestLoadtestHelpersEndWithTheirLeader(t *testing.T) {
	t.Parallel()
	p, pids := measuring(t)
	begun := time.Now()
	must(t, p.cmd.Process.Kill())
	for _, pid := range pids {
		gone(t, pid)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("they ended after %v", took)
	}
}

func TestLoadtestStormsInSeveralProcesses(t *testing.T) {
	t.Parallel()
	_, push, env := startServe(t)
	for _, c := range []struct {
		url, says string
		more      []string
	}{
		{peerEcho(t), "30 of 30 are back", nil}, // which speaks no Pusher
		{strings.Replace(push, "http", "ws", 1), "published", []string{"--channels", "1"}},
	} {
		args := append([]string{"loadtest", "storm", c.url, "--procs", "3", "--conns", "30", "--before", "200ms", "--after", "100ms", "--expect", "cut==30", "--expect", "unreturned==0"}, c.more...)
		if code, stdout, stderr := runRoost(t, env, args...); code != 0 || !strings.Contains(stdout, c.says) || !strings.Contains(stdout, "3 loops in 3 processes") {
			t.Errorf("%q: exit code %d, stderr %q, report without %q:\n%s", c.more, code, stderr, c.says, stdout)
		}
	}
}

func TestLoadtestPlansHoldSettingsMadeByOldNames(t *testing.T) {
	t.Parallel()
	cmd := newLoadtestIdleCommand()
	must(t, cmd.ParseFlags([]string{"--rate", "5k", "ws://x/"}))
	if got, want := planArgs(cmd), []string{"idle", "ws://x/", "--connect-rate=5000"}; !slices.Equal(got, want) {
		t.Errorf("plan %q, want %q", got, want)
	}
}

func TestLoadtestProcsUsageErrorsAreSaidOnce(t *testing.T) {
	t.Parallel()
	code, _, stderr := runRoost(t, nil, echoWith("ws://127.0.0.1:9/", "--procs", "3", "--size", "3")...)
	if code != exitUsage || strings.Count(stderr, "at least 20") != 1 {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	if code, _, stderr = runRoost(t, nil, echoWith("ws://127.0.0.1:9/", "--procs", "31")...); code != exitUsage || !strings.Contains(stderr, "only 30 connections") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}
