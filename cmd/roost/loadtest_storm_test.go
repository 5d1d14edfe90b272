//go:build unix

package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

func TestLoadtestStormResumesAtServeWithoutLossOrRepetition(t *testing.T) {
	t.Parallel()
	_, url, env := startServe(t, "--channels", `[{"match":"loadtest-*","history":{"count":10000,"age":"10m"}}]`)
	code, stdout, stderr := runRoost(t, env, "loadtest", "storm", strings.Replace(url, "http", "ws", 1), "--conns", "100", "--channels", "10", "--rate", "1k", "--history",
		"--before", "300ms", "--after", "300ms", "--quiet",
		"--expect", "lost==0", "--expect", "duplicates==0", "--expect", "reordered==0", "--expect", "unrecovered==0", "--expect", "unreturned==0", "--expect", "cut==100")
	if code != 0 || !strings.Contains(stdout, "100 subscriptions made whole, 0 not recoverable") || stderr != "" {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
}

func TestLoadtestStormWaitsNoTimeThatItIsToldNotTo(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t)
	env := []string{"ROOST_RATE=5", "ROOST_SIZE=1KiB"} // other scenarios'
	code, stdout, stderr := runRoost(t, env, "loadtest", "storm", url, "--conns", "4", "--before", "0s", "--after", "0s", "--backoff", "10ms", "--quiet", "--json",
		"--expect", "cut==4", "--expect", "unreturned==0")
	var r loadtest.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 || r.Storm == nil || r.Storm.Measured >= 2*time.Second {
		t.Errorf("exit code %d, %v, stderr %q; %+v; want a cut at once and an end when all were back", code, err, stderr, r.Storm)
	}
}

func TestLoadtestStormKillsAServerAndGoesToTheNext(t *testing.T) {
	t.Parallel()
	one, first := startEcho(t)
	_, second := startEcho(t)
	code, stdout, stderr := runRoost(t, nil, "loadtest", "storm", first+","+second, "--conns", "40", "--cut", "server", "--kill-pid", strconv.Itoa(one.cmd.Process.Pid),
		"--before", "200ms", "--after", "100ms", "--backoff", "20ms", "--quiet", "--expect", "cut==20", "--expect", "unreturned==0")
	// Those that dial while its listener goes are reset, the others refused.
	if code != 0 || !strings.Contains(stdout, "20 connections ended with their server") || !strings.Contains(stdout, "20 of 20 opened, 20 failed, 20 lost") || stderr != "" {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
}
