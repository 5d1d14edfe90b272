//go:build unix

package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// freeAddr is an address at which nobody listens now.
func freeAddr(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
}

// join starts agents a1, a2 … for the leader at addr.
func join(t *testing.T, addr string, n int) (all []*process) {
	t.Helper()
	for i := range n {
		all = append(all, startRoost(t, []string{"ROOST_TOKEN=secret"}, "loadtest", "agent", "--join", "nats://"+addr, "--name", fmt.Sprintf("a%d", i+1), "--once"))
	}
	return all
}

func TestLoadtestAgentsAreOneRun(t *testing.T) {
	t.Parallel()
	addr, out := freeAddr(t), filepath.Join(t.TempDir(), "report.json")
	agents := join(t, addr, 3)
	code, stdout, stderr := runRoost(t, []string{"ROOST_AGENTS_TOKEN=secret"}, echoWith(peerEcho(t), "--agents", "3", "--listen-agents", addr, "--duration", "500ms", "--out", out, "--expect", "loss==0")...)
	if code != 0 || !strings.Contains(stdout, "30 of 30 opened") || !strings.Contains(stderr, "agent a2 joined; its clock is ") {
		t.Fatalf("exit code %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
	r := readJSON(t, out)
	if r.Echo.Rate != 600 || r.Echo.Messages < 250 || r.Echo.Messages > 330 || len(r.Members) != 3 {
		t.Errorf("echo %+v of %d members", r.Echo, len(r.Members))
	}
	for _, m := range r.Members {
		if m.Opened != 10 || m.ClockBound <= 0 || m.ClockOffset.Abs() > m.ClockBound {
			t.Errorf("member %+v: its clock is the leader's", m)
		}
	}
	for _, a := range agents {
		if code := a.wait(t); code != 0 {
			t.Errorf("an agent's exit code is %d", code)
		}
	}
}

func TestLoadtestAgentThatDiesIsNamed(t *testing.T) {
	t.Parallel()
	addr, out := freeAddr(t), filepath.Join(t.TempDir(), "report.json")
	agents := join(t, addr, 2)
	p := startRoost(t, []string{"ROOST_AGENTS_TOKEN=secret"}, echoWith(peerEcho(t), "--agents", "2", "--listen-agents", addr, "--duration", "1m", "--out", out)...)
	p.stderr.waitFor(t, "measure")
	must(t, agents[0].cmd.Process.Kill())
	if code := p.wait(t); code != exitFailure || !strings.Contains(p.stderr.String(), "agent a1: lost") {
		t.Errorf("exit code %d, stderr:\n%s", code, p.stderr)
	}
	if r := readJSON(t, out); !r.Interrupted || r.Connections.Opened != 15 {
		t.Errorf("interrupted %v, connections %+v; want those of the one that is left", r.Interrupted, r.Connections)
	}
}

func TestLoadtestAgentsFromElsewhereNeedAToken(t *testing.T) {
	t.Parallel()
	code, _, stderr := runRoost(t, nil, echoWith("ws://127.0.0.1:9/", "--agents", "2", "--listen-agents", "0.0.0.0:0")...)
	if code != exitUsage || !strings.Contains(stderr, "need a token") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}
