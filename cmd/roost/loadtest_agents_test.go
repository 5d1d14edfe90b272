//go:build unix

package main

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/loadtest/team"
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

// withAgents has three agents do a run, whose environment only its leader has, and returns its report.
func withAgents(t *testing.T, env []string, args ...string) loadtest.Report {
	t.Helper()
	addr, out := freeAddr(t), filepath.Join(t.TempDir(), "report.json")
	agents := join(t, addr, 3)
	args = append(append([]string{"loadtest"}, args...), "--conns", "30", "--warmup", "100ms", "--duration", "500ms", "--agents", "3", "--listen-agents", addr, "--out", out)
	code, stdout, stderr := runRoost(t, append(env, "ROOST_AGENTS_TOKEN=secret"), args...)
	if code != 0 || !strings.Contains(stdout, "30 of 30 opened") || !strings.Contains(stderr, "agent a2 joined; its clock is ") {
		t.Fatalf("exit code %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
	for _, a := range agents {
		if code := a.wait(t); code != 0 {
			t.Errorf("an agent's exit code is %d", code)
		}
	}
	r := readJSON(t, out)
	if len(r.Members) != 3 {
		t.Errorf("%d members", len(r.Members))
	}
	for _, m := range r.Members {
		if m.Opened != 10 || m.ClockBound <= 0 || m.ClockOffset.Abs() > m.ClockBound {
			t.Errorf("member %+v: its clock is the leader's", m)
		}
	}
	return r
}

func TestLoadtestAgentsAreOneRun(t *testing.T) {
	t.Parallel()
	t.Run("echo", func(t *testing.T) {
		e := withAgents(t, nil, "echo", peerEcho(t), "--rate", "600", "--expect", "loss==0").Echo
		if e.Rate != 600 || !paced(e) {
			t.Errorf("%+v", e)
		}
	})
	t.Run("broadcast", func(t *testing.T) {
		_, url := startEcho(t, "--broadcast")
		b := withAgents(t, nil, "broadcast", url, "--rate", "20", "--expect", "loss==0", "--expect", "duplicates==0").Broadcast
		if b.Messages != 10 || b.Receivers != 30 || b.Deliveries != 300 || b.Last.Count != 10 || b.First.P50 > b.Median.P50 || b.Median.P50 > b.Last.P50 || len(b.Casts) > 0 {
			t.Errorf("%+v", b)
		}
	})
	t.Run("push", func(t *testing.T) {
		_, url, env := startServe(t)
		p := withAgents(t, env, "push", strings.Replace(url, "http", "ws", 1), "--channels", "3", "--rate", "60", "--expect", "lost==0", "--expect", "duplicates==0").Push
		if p.Rate != 60 || p.Subscribed != 30 || p.Published != 30 || p.Deliveries == 0 {
			t.Errorf("%+v", p)
		}
	})
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

// What it names would be the agent's, for anybody who holds the token.
func TestLoadtestAgentTakesNothingOfItsOwnMachineFromALeader(t *testing.T) {
	t.Parallel()
	secret := settingsFile(t, "size: 100\n")
	for _, c := range [][]string{
		{"storm", "--kill-pid=4711"}, {"echo", "--message-file=" + secret}, {"echo", "--ca", secret}, {"echo", "--config=" + secret}, {"echo", "--out=" + secret},
		{"echo", "--server-pid=4711"}, {"echo", "--source-ip=127.0.0.2"},
	} {
		name, _, _ := strings.Cut(c[1], "=")
		p := teamPart{foreign: true} // without a seat it can't begin
		_, err := p.do(t.Context(), team.Plan{Args: append([]string{c[0], "ws://127.0.0.1:9/"}, c[1:]...)}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "the leader asks for "+name) {
			t.Errorf("%q: error %v", c, err)
		}
	}
	p := teamPart{foreign: true}
	if _, err := p.do(t.Context(), team.Plan{Args: []string{"push", "ws://127.0.0.1:9/"}}, io.Discard); err == nil || !strings.Contains(err.Error(), "no --app-key") {
		t.Errorf("error %v, want none of this machine's credentials to be looked for", err)
	}
	for _, c := range [][]string{{"storm", "--kill-pid", "4711"}, {"echo", "--message-file", secret}, {"echo", "--server-pid", "1"}, {"echo", "--source-ip", "127.0.0.2"}} {
		args := append([]string{"loadtest", c[0], "ws://127.0.0.1:9/", "--agents", "2", "--listen-agents", "127.0.0.1:0"}, c[1:]...)
		if code, _, stderr := runRoost(t, nil, args...); code != exitUsage || !strings.Contains(stderr, c[1]+" and --agents") {
			t.Errorf("%q: exit code %d, stderr %q", c, code, stderr)
		}
	}
}

func TestLoadtestAgentsFromElsewhereNeedAToken(t *testing.T) {
	t.Parallel()
	code, _, stderr := runRoost(t, nil, echoWith("ws://127.0.0.1:9/", "--agents", "2", "--listen-agents", "0.0.0.0:0")...)
	if code != exitUsage || !strings.Contains(stderr, "need a token") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestLoadtestAgentRefusesAtOnceWhatWouldFailEachRun(t *testing.T) {
	t.Parallel()
	for flag, value := range map[string]string{"--source-ip": "x", "--name": " "} {
		code, _, stderr := runRoost(t, nil, "loadtest", "agent", "--join", "nats://127.0.0.1:1", flag, value)
		if code != exitUsage || !strings.Contains(stderr, flag) {
			t.Errorf("%s %q: exit code %d, stderr %q", flag, value, code, stderr)
		}
	}
}
