package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/internal/doctor"
)

func TestDoctorExitsWith1WhenTheConnectionsDoNotFit(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := runRoost(t, nil, "doctor", "--conns", "1g")
	if code != exitFailure || !strings.Contains(stderr, "1000000000 connections do not fit") || !strings.Contains(stdout, "A machine that holds 1,000,000,000") {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
	if strings.Contains(stdout, "\x1b") {
		t.Errorf("colours, and no terminal:\n%s", stdout)
	}
}

func TestDoctorPrintsItsReportAsJSON(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := runRoost(t, nil, "doctor", "--conns", "2", "--seconds", "5", "--ping-interval", "1m", "--json")
	var r doctor.Report
	must(t, json.Unmarshal([]byte(stdout), &r))
	if code != 0 || !r.Fits || r.Conns != 2 || len(r.Checks) < 10 || r.Needs.Within != 5*time.Second || r.Needs.Heartbeat != time.Minute {
		t.Errorf("exit code %d, stderr %q: %+v", code, stderr, r)
	}
}

func TestDoctorUsageErrorsExitWith2(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--conns", "0"}, {"--seconds", "0"}, {"--processes", "0"}, {"stray"}} {
		if code, _, stderr := runRoost(t, nil, append([]string{"doctor"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d, want %d: %s", args, code, exitUsage, stderr)
		}
	}
}
