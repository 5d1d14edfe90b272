//go:build unix

package main

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
)

// foreign starts a server of the npm package ws.
func foreign(t *testing.T, mode string) (url string) {
	t.Helper()
	cmd := exec.Command("node", "testdata/foreign.mjs", installNodeWS(t), mode)
	cmd.Stderr = testWriter{t}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	url, err = bufio.NewReader(stdout).ReadString('\n')
	must(t, err)
	return strings.TrimSpace(url)
}

const template = `{"conn":{{.Conn}},"seq":{{.Seq}},"at":{{.Now}},"x":"{{.Rand 40}}"}`

func TestLoadtestScenariosAgainstOursAndAnotherServer(t *testing.T) {
	t.Parallel() // mostly waiting
	servers := map[string]func(t *testing.T, mode string) string{
		"npm ws": foreign,
		"roost": func(t *testing.T, mode string) string {
			flags := map[string][]string{"broadcast": {"--broadcast"}}[mode]
			_, url := startEcho(t, flags...)
			return url
		},
	}
	for name, c := range map[string]struct{ mode, args, says string }{
		"churn":          {"echo", "churn URL --conns 20 --lifetime 100ms --abort 30% --echo --expect loss==0 --expect errors==0 --expect unclean==0", "echoed, one a life; 0 silent"},
		"slow echo":      {"echo", "slow URL --load echo --conns 10 --slow 20% --rate 100 --expect loss==0 --expect slow-missed==0", "2 of 10, which never read"},
		"slow broadcast": {"broadcast", "slow URL --conns 10 --slow 10% --read-rate 10k --rate 20 --expect loss==0 --expect fast-p99-ratio>0", "1 of 10, which read 10,000 B"},
		"find echo":      {"echo", "find echo URL --conns 5 --objective loss==0 --from 50 --to 100", "100 messages a second, to 5 %"},
		"find broadcast": {"broadcast", "find broadcast URL --conns 5 --objective loss==0 --from 10 --to 20", "20 messages a second, to 5 %"},
		"find idle":      {"echo", "find idle URL --objective errors==0 --from 5 --to 20", "20 connections, to 5 %"},
		"message echo":   {"echo", "echo URL --conns 5 --rate 100 --message TEMPLATE --expect loss==0 --expect p50>0s", "seq"},
		"message cast":   {"broadcast", "broadcast URL --conns 5 --rate 20 --message TEMPLATE --expect loss==0 --expect duplicates==0", "to 5 receivers"},
	} {
		for server, start := range servers {
			t.Run(name+" "+server, func(t *testing.T) {
				t.Parallel()
				url := start(t, c.mode)
				args := append([]string{"loadtest"}, strings.Fields(c.args)...)
				for i := range args {
					switch args[i] {
					case "URL":
						args[i] = url
					case "TEMPLATE":
						args[i] = template
					}
				}
				args = append(args, "--quiet", "--duration", "400ms")
				if !strings.Contains(name, "idle") {
					args = append(args, "--warmup", "0s")
				}
				code, stdout, stderr := runRoost(t, nil, args...)
				if code != 0 || !strings.Contains(stdout, c.says) {
					t.Errorf("exit code %d, stderr %q, report lacks %q:\n%s", code, stderr, c.says, stdout)
				}
			})
		}
	}
}

func TestLoadtestFindExitsWith1WhenNotEvenTheFirstLoadHolds(t *testing.T) {
	t.Parallel()
	// A load is tried twice before it is given up. Where a busy machine kept the harness
	// from sending it, one of the two may end for that.
	code, stdout, stderr := runRoost(t, nil, "loadtest", "find", "echo", peerEcho(t), "--conns", "2", "--objective", "p50<1ns", "--from", "100", "--precision", "20%", "--duration", "1s", "--warmup", "0s", "-q")
	if code != exitFailure || !strings.Contains(stderr, "not even 100 held: ") || !strings.Contains(stdout, "objective: p50<1ns: it is ") || !strings.Contains(stdout, "found       nothing") {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
}

func TestLoadtestNamesWhatIsWrongWithItsFlags(t *testing.T) {
	t.Parallel()
	const url = "ws://127.0.0.1:9/"
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"churn", url, "--abort", "10"}, "10%"},
		{[]string{"churn", url, "--lifetime", "1us"}, "give 1ms to"},
		{[]string{"slow", url, "--slow", "1%", "--conns", "50"}, "no slow client"},
		{[]string{"slow", url, "--load", "push"}, "broadcast, echo"},
		{[]string{"find", "push", url, "--objective", "p99<1s"}, "echo, broadcast and idle"},
		{[]string{"find", "echo", url}, "no objective"},
		{[]string{"find", "echo", url, "--objective", "p99"}, "--objective"},
		{[]string{"find", "echo", url, "--objective", "p99<1s", "--from", "2k", "--to", "1k"}, "rising"},
		{[]string{"echo", url, "--message", "{{.Name}}"}, "{{.Conn}}"},
		{[]string{"echo", url, "--message", "a", "--message-file", "b"}, "one of them"},
		{[]string{"echo", url, "--message-file", "/nonexistent"}, "/nonexistent"},
		{[]string{"echo", url, "--message-binary"}, "--message-file"},
		{[]string{"broadcast", url, "--message", "same"}, "{{.Seq}}"},
	} {
		code, _, stderr := runRoost(t, nil, append([]string{"loadtest"}, c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit code %d, want %d; stderr lacks %q:\n%s", c.args, code, exitUsage, c.says, stderr)
		}
	}
}
