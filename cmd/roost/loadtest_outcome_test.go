//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

func TestLoadtestExpectationsExitWith4AndNameWhatFailed(t *testing.T) {
	t.Parallel()
	url, out, page := peerEcho(t), filepath.Join(t.TempDir(), "run.json"), filepath.Join(t.TempDir(), "run.html")
	run := []string{"loadtest", "echo", url, "--conns", "5", "--duration", "100ms", "--warmup", "0s", "--quiet"}
	code, _, stderr := runRoost(t, nil, append(run, "--out", out, "--html", page, "--expect", "loss==0", "--expect", "p99<20s", "--expect", "errors<0.1%")...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.HasPrefix(string(text), "<!doctype html>") {
		t.Errorf("no page: %v", err)
	}
	again := []string{"loadtest", "report", out}
	for _, args := range [][]string{run, again} {
		code, stdout, stderr := runRoost(t, nil, append(args, "--expect", "loss==0", "--expect", "p99<1ns")...)
		if code != exitUnexpected || !strings.Contains(stderr, "p99<1ns: it is ") || strings.Contains(stderr, "loss") || !strings.Contains(stdout, "5 of 5 opened") {
			t.Errorf("%v: exit code %d, stderr %q, stdout %q", args[:2], code, stderr, stdout)
		}
	}
}

func TestLoadtestDiffExitsWith3WhenWorse(t *testing.T) {
	t.Parallel()
	write := func(p99 time.Duration) (name string) {
		r := loadtest.Report{Version: loadtest.ReportVersion, Scenario: "echo"}
		r.Echo = &loadtest.EchoReport{Latency: loadtest.Latency{Count: 1, P99: p99}}
		text, err := json.Marshal(r)
		must(t, err)
		name = filepath.Join(t.TempDir(), "r.json")
		must(t, os.WriteFile(name, text, 0o600))
		return name
	}
	fast, slow := write(10*time.Millisecond), write(12*time.Millisecond)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{fast, slow}, exitWorse},
		{[]string{fast, slow, "--worse", "25"}, 0},
		{[]string{slow, fast}, 0},
	} {
		code, stdout, stderr := runRoost(t, nil, append([]string{"loadtest", "diff"}, c.args...)...)
		if code != c.code || !strings.Contains(stdout, "p99") || (code == exitWorse) != strings.Contains(stderr, "p99") {
			t.Errorf("%v: exit code %d, want %d; stderr %q\n%s", c.args, code, c.code, stderr, stdout)
		}
		if said := strings.Contains(stdout, "nothing that counts is worse by more than "); said != (c.code == 0) {
			t.Errorf("%v: says that nothing is worse: %v\n%s", c.args, said, stdout)
		}
	}
	for flag, begins := range map[string]string{"--out": "{", "--csv": "seconds,", "--html": "<!doctype html>"} {
		code, stdout, stderr := runRoost(t, nil, "loadtest", "report", fast, flag, "-")
		if _, err := os.Stat("-"); err == nil || code != 0 || !strings.HasPrefix(stdout, begins) {
			t.Errorf("report %s -: exit code %d, stderr %q, a file named -: %v\n%s", flag, code, stderr, err == nil, stdout)
		}
	}
}

func TestLoadtestWhoseServerDiesExitsWith1AndSaysWhy(t *testing.T) {
	t.Parallel()
	server, url := startEcho(t)
	p := startRoost(t, nil, "loadtest", "echo", url, "--conns", "10", "--warmup", "0s", "--duration", "4s")
	p.stderr.waitFor(t, "measure")
	must(t, server.cmd.Process.Kill())
	if code := p.wait(t); code != exitFailure || !strings.Contains(p.stderr.String(), "all 10 connections were lost") {
		t.Errorf("exit code %d, stderr:\n%s", code, p.stderr)
	}
}
