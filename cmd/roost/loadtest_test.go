//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/roost-ws/roost/loadtest"
)

// peerEcho is an echo server that is not ours.
func peerEcho(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var u websocket.Upgrader
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, p, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, p) != nil {
				return
			}
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return "ws://" + l.Addr().String() + "/"
}

func TestLoadtestEchoWritesItsReport(t *testing.T) {
	t.Parallel()
	url, out := peerEcho(t), filepath.Join(t.TempDir(), "report.json")
	args := []string{"loadtest", "echo", url, "--conns", "10", "--size", "1KiB", "--duration", "100ms", "--warmup", "0s", "--quiet"}
	code, stdout, stderr := runRoost(t, nil, append(args, "--out", out)...)
	if code != 0 || !strings.Contains(stdout, "10 of 10 opened") || stderr != "" {
		t.Fatalf("exit code %d, stdout %q, stderr %q; want 0 and the report", code, stdout, stderr)
	}
	text, err := os.ReadFile(out)
	must(t, err)
	var r loadtest.Report
	must(t, json.Unmarshal(text, &r))
	if r.Version != loadtest.ReportVersion || r.Echo == nil || r.Echo.Messages == 0 || r.Echo.Size != 1024 {
		t.Errorf("report %s", text)
	}
	code, stdout, _ = runRoost(t, nil, append(args, "--rate", "1k")...)
	for _, part := range []string{"open model, 1,000 a second", "p99.9", "uncorrected", "10 of 10 opened"} {
		if code != 0 || !strings.Contains(stdout, part) {
			t.Errorf("exit code %d, report lacks %q:\n%s", code, part, stdout)
		}
	}
}

func TestLoadtestIdleVerifies(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := runRoost(t, nil, "loadtest", "idle", peerEcho(t), "--conns", "20", "--connect-rate", "1k", "--hold", "0s", "--verify")
	if code != 0 || !strings.Contains(stdout, "20 echoed, 0 silent") {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
}

func TestLoadtestWithoutAServerExitsWith1AndSaysWhy(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	code, stdout, stderr := runRoost(t, nil, "loadtest", "idle", "ws://"+l.Addr().String(), "--conns", "3")
	if code != exitFailure || !strings.Contains(stdout, "3 × refused") || !strings.Contains(stderr, "none of 3") {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
}

func TestLoadtestThatMeasuredNothingExitsWith1AndSaysWhy(t *testing.T) {
	t.Parallel()
	_, echo := startEcho(t)
	_, pushes, _ := startServe(t)
	for says, args := range map[string][]string{
		"is it an echo server?":         {"broadcast", echo, "--duration", "200ms", "--warmup", "0s"},
		"no subscription was confirmed": {"push", echo, "--timeout", "2s", "--duration", "200ms", "--warmup", "0s", "--app-id", "1", "--app-key", "k", "--app-secret", "s"},
		"nothing was cut":               {"storm", echo, "--cut", "server", "--before", "100ms", "--limit", "300ms", "--expect", "unreturned==0"},
		"none of 5 connections stood":   {"idle", "ws://" + strings.TrimPrefix(pushes, "http://"), "--hold", "200ms"},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := runRoost(t, nil, append(append([]string{"loadtest"}, args...), "--conns", "5", "--quiet")...)
			if code != exitFailure || !strings.Contains(stderr, says) {
				t.Errorf("exit code %d, stderr lacks %q: %q\n%s", code, says, stderr, stdout)
			}
		})
	}
}

func TestAReportThatHoldsNothingMeasuredFails(t *testing.T) {
	t.Parallel()
	for says, r := range map[string]loadtest.Report{
		"came back in 3 lives":           {Churn: &loadtest.ChurnReport{Echo: &loadtest.ChurnEcho{Silent: 3}}},
		"all read as they could":         {Slow: &loadtest.SlowReport{}},
		"while others were slow":         {Slow: &loadtest.SlowReport{Baseline: loadtest.SlowPhase{Messages: 1}}},
		"7 events were published, and":   {Push: &loadtest.PushReport{Subscribed: 1, Published: 7}},
		"8 events were published, and":   {Storm: &loadtest.StormReport{Cut: 1, Events: &loadtest.StormEvents{Published: 8}}},
		"none of 1 connections ended":    {Storm: &loadtest.StormReport{}},
		"all 1 connections were lost":    {Churn: &loadtest.ChurnReport{}, Connections: loadtest.Connections{Lost: 1}},
		"none of the 9 events to be mea": {Push: &loadtest.PushReport{Subscribed: 1, Unpublished: 9}},
		"no event could be published":    {Push: &loadtest.PushReport{Subscribed: 1}},
		"no subscription was confirmed:": {Push: &loadtest.PushReport{}},
	} {
		r.Connections.Opened = 1
		if err := verdict(&r); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("verdict %v, want one that says %q", err, says)
		}
	}
}

func TestLoadtestUsageErrorsExitWith2(t *testing.T) {
	t.Parallel()
	const url = "ws://127.0.0.1:9/"
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"idel", url}, `no command "idel"; did you mean idle?`},
		{[]string{"idle"}, "idle: URL is missing"},
		{[]string{"idle", "http://127.0.0.1/"}, "try ws://127.0.0.1/"},
		{[]string{"idle", "127.0.0.1:8080/x"}, "try ws://127.0.0.1:8080/x"},
		{[]string{"idle", "ws://127.0.0.1:99999/"}, `ws://127.0.0.1:99999/: port "99999": want 1 to 65535`},
		{[]string{"idle", ""}, "an empty URL"},
		{[]string{"echo", url, "--message", "{{.Foo}}"}, "can't evaluate field Foo; fields are"},
		{[]string{"echo", url, "--out", "-", "--csv", "-"}, "only one of"},
		{[]string{"idle", url, "--conns", "99999999999999999999"}, "more than 64 bits"},
		{[]string{"idle", "ftp://127.0.0.1/"}, "ws://host:port/path"},
		{[]string{"idle", url, "--conns", "0"}, `--conns "0"`},
		{[]string{"echo", url, "--duration", "0s"}, "give 1ms to"},
		{[]string{"echo", url, "--timeout", "0s"}, "give 1ms to"},
		{[]string{"churn", url, "--lifetime", "0s"}, "give 1ms to"},
		{[]string{"storm", url, "--rate", "1k", "--private", "50%"}, "--private, --rate: without --channels"},
		{[]string{"push", url, "--app-id", "1", "--app-key", "k"}, "give ROOST_APP_SECRET or --app-secret"},
		{[]string{"storm", url, "--app-id", "1", "--app-key", "k", "--rate", "1"}, "give ROOST_APP_SECRET or --app-secret"},
		{[]string{"storm", url, "--limit", "0s"}, "give 1ms to"},
		{[]string{"storm", url, "--backoff", "0s"}, "give 1ms to"},
		{[]string{"push", url, "--rate", "0"}, "give 1 to"},
		{[]string{"slow", url, "--slow", "0%"}, "give 0.01% to 90%"},
		{[]string{"find", "echo", url, "--precision", "0%"}, "give 0.1% to 50%"},
		{[]string{"idle", url, "--source-ip", "127.0.0.9-127.0.0.2"}, "127.0.0.9-127.0.0.2"},
		{[]string{"idle", url, "--server-pid", "2147483647"}, "--server-pid 2147483647: this machine has no such process"},
		{[]string{"idle", url, "--server-pid", "0"}, "--server-pid 0"},
		{[]string{"idle", url, "-H", "Foo: a\r\nX: b"}, `--header: a control character ('\r')`},
		{[]string{"idle", url, "--bearer", "tok\r"}, `--bearer: a control character ('\r')`},
		{[]string{"idle", url, "--subprotocol", "a\x7f"}, `--subprotocol: a control character ('\x7f')`},
		{[]string{"echo", url, "--message", ""}, "--message: its value is empty"},
		{[]string{"echo", url, "--out="}, "--out: its value is empty"},
		{[]string{"report", "run.json", "--html="}, "--html: its value is empty"},
		{[]string{"idle", url, "-H", "nonsense"}, `"nonsense"`},
		{[]string{"idle", url, "--expect", "p98<1s"}, "p99.9"},
		{[]string{"idle", url, "--expect", "p99<1"}, "20ms"},
		{[]string{"report", "/nonexistent"}, "/nonexistent"},
		{[]string{"report", "/dev/null"}, "not a report"},
		{[]string{"idle", url, "--basic", "me"}, "user:password"},
		{[]string{"idle", url, "--basic", "a:b", "--bearer", "x"}, "give one of them"},
		{[]string{"idle", url, "--ca", "/dev/null"}, "BEGIN CERTIFICATE"},
		{[]string{"idle", url, "--ca", "/nonexistent"}, "/nonexistent"},
		{[]string{"echo", url, "--size", "3"}, "at least 20"},
		{[]string{"echo", url, "--size", "1MiB", "--inflight", "32"}, "32 messages of 1048576 bytes in flight: want at most 16777216"},
		{[]string{"echo", url, "--size", "26", "--text"}, "at least 27"},
		{[]string{"find", "echo", url, "--procs", "2"}, "--procs 2: find runs in one process"},
		{[]string{"find", "idle", url, "--agents", "3"}, "--agents 3: find runs in one process"},
		{[]string{"broadcast", url, "--procs", "2", "--message", "{{.Seq}}", "--rate", "1"}, "run the broadcast in one"},
		{[]string{"echo", url, "--out", "/nonexistent/run.json"}, "no folder /nonexistent"},
		{[]string{"echo", url, "--html", "/"}, "it is a folder"},
	} {
		code, _, stderr := runRoost(t, nil, append([]string{"loadtest"}, c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit code %d, want %d; stderr lacks %q:\n%s", c.args, code, exitUsage, c.says, stderr)
		}
	}
}

func TestLoadtestBroadcastReachesAllOfRoostEcho(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--broadcast")
	code, stdout, stderr := runRoost(t, nil, "loadtest", "broadcast", url, "--conns", "50", "--rate", "20", "--duration", "500ms", "--warmup", "0s", "--quiet",
		"--expect", "loss==0", "--expect", "duplicates==0", "--expect", "reordered==0")
	if code != 0 || !strings.Contains(stdout, "to 50 receivers") {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
}

func TestLoadtestRateIsConnectionsForNoScenario(t *testing.T) {
	t.Parallel()
	const conns = 20
	run := []string{"loadtest", "idle", peerEcho(t), "--conns", fmt.Sprint(conns), "--hold", "0s", "--quiet", "--json"}
	for _, c := range []struct {
		env, args  []string
		paced, old bool
	}{
		{args: []string{"--connect-rate", "100"}, paced: true},
		{args: []string{"--rate", "100"}, paced: true, old: true},
		{env: []string{"ROOST_CONNECT_RATE=100"}, paced: true},
		{env: []string{"ROOST_RATE=1"}}, // messages a second
	} {
		code, stdout, stderr := runRoost(t, c.env, append(run, c.args...)...)
		var r loadtest.Report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 || r.Connections.Opened != conns {
			t.Fatalf("%v: exit code %d, %v, stderr %q", c, code, err, stderr)
		}
		if c.old != strings.Contains(stderr, "--connect-rate") {
			t.Errorf("%v: stderr %q", c, stderr)
		}
		// A busy machine may take longer than the rate asks, but never as long as one a second.
		if took := r.Connections.Took; c.paced && took < (conns-1)*time.Second/100 || took >= (conns-1)*time.Second {
			t.Errorf("%v: opened in %v", c, took)
		}
	}
}

func TestLoadtestHelpNamesValuesAndHidesWhatIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range newLoadtestCommand().Commands() {
		usage := c.Flags().FlagUsages()
		for _, unwanted := range []string{" stringArray", " strings ", " ints ", "(pid "} {
			if strings.Contains(usage, unwanted) {
				t.Errorf("%s --help has %q:\n%s", c.Name(), unwanted, usage)
			}
		}
		if refused := strings.Contains(usage, "--agents") && c.Name() == "find"; refused {
			t.Errorf("find --help lists what it refuses:\n%s", usage)
		}
	}
}
