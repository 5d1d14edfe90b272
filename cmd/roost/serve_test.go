//go:build unix

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// startServe runs roost serve in a home of its own. env lets other commands
// find it there.
func startServe(t *testing.T, args ...string) (p *process, url string, env []string) {
	t.Helper()
	env = []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
	p = startRoost(t, env, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	_, url, ok := strings.Cut(strings.TrimSpace(p.line(t)), "push server on ")
	if !ok {
		t.Fatalf("first line of roost serve names no address\n%s", p.stderr)
	}
	return p, url, env
}

func TestSubEntersPresenceChannelsAsTheUserThatItIsGiven(t *testing.T) {
	t.Parallel()
	_, _, env := startServe(t)
	sub := startRoost(t, env, "sub", "presence-room", "--user-id", "ann \"é\"")
	sub.stderr.waitFor(t, "channel=presence-room")
}

func TestPubReachesSubThroughServeWithoutAnyCredentialsTyped(t *testing.T) {
	t.Parallel()
	p, _, env := startServe(t)
	sub := startRoost(t, env, "sub", "news", "private-orders", "--json")
	sub.stderr.waitFor(t, "channel=news")
	sub.stderr.waitFor(t, "channel=private-orders")
	for _, want := range []struct{ Channel, Event, Data string }{
		{"news", "message", `{"headline":"hello"}`},
		{"private-orders", "placed", "two\nlines"},
	} {
		code, _, stderr := runRoost(t, env, "pub", want.Channel, want.Data, "--event", want.Event)
		if code != 0 {
			t.Fatalf("pub: exit code %d: %s", code, stderr)
		}
		got := want
		must(t, json.Unmarshal([]byte(sub.line(t)), &got))
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	sub.signal(t, syscall.SIGINT)
	if code := sub.wait(t); code != 0 {
		t.Errorf("sub: exit code %d, want 0", code)
	}
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("serve: exit code %d, want 0", code)
	}
	if code, _, stderr := runRoost(t, env, "pub", "news", "x", "--addr", "127.0.0.1:1"); code != exitFailure || !strings.Contains(stderr, "--addr 127.0.0.1:1: ") {
		t.Errorf("pub to where no server is: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := runRoost(t, env, "pub", "news", "x"); code != exitFailure || !strings.Contains(stderr, "roost serve") {
		t.Errorf("pub without a server: exit code %d: %s", code, stderr)
	}
}

func TestSecretsAreNeitherInLogsNorInOutputThatIsNoTerminal(t *testing.T) {
	t.Parallel()
	const secret, token = "s3cret-s3cret-s3cret", "t0ken-t0ken-t0ken-t0ken"
	p, url, env := startServe(t, "--key", "key", "--secret", secret, "--token", token, "--log-level", "debug")
	res, err := http.Get(url + "/healthz")
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != http.StatusOK {
		t.Errorf("healthz: %s", res.Status)
	}
	runRoost(t, env, "pub", "news", "x")
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	stdout, err := io.ReadAll(p.stdout)
	must(t, err)
	if !strings.Contains(string(stdout), filepath.Join("roost", url[strings.LastIndex(url, ":")+1:]+".json")) {
		t.Errorf("stdout does not say where the secret can be read:\n%s", stdout)
	}
	for _, s := range []string{secret, token} {
		if strings.Contains(string(stdout), s) || strings.Contains(p.stderr.String(), s) {
			t.Errorf("%s was written:\n%s\n%s", s, stdout, p.stderr)
		}
	}
}

func TestCredentialsFileIsGoneAfterTheServer(t *testing.T) {
	t.Parallel()
	p, _, env := startServe(t)
	_, dir, _ := strings.Cut(env[0], "=")
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(dir, "roost", "*.json"))
		must(t, err)
		return found
	}
	eventually(t, "a credentials file", func() error {
		if len(files()) != 1 {
			return os.ErrNotExist
		}
		return nil
	})
	p.signal(t, syscall.SIGINT)
	p.wait(t)
	if found := files(); len(found) != 0 {
		t.Errorf("left: %v", found)
	}
}

func TestServeRefusesABadAppWithUsageError(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"serve", "--key", "no spaces"},
		{"serve", "--token", "short"},
	} {
		if code, _, stderr := runRoost(t, nil, args...); code != exitUsage || !strings.Contains(stderr, args[2]) && !strings.Contains(stderr, "16") {
			t.Errorf("%q: exit code %d: %s", args, code, stderr)
		}
	}
}

func TestASecondServeIsToldWhoHasThePortAndTheFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p, url, env := startServe(t, "--data", folder)
	code, _, stderr := runRoost(t, env, "serve", "--addr", strings.TrimPrefix(url, "http://"), "--data", folder)
	if code != exitFailure {
		t.Errorf("exit code %d, want %d", code, exitFailure)
	}
	holder := "process " + strconv.Itoa(p.cmd.Process.Pid)
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		holder = "another process"
	}
	for _, part := range []string{holder, "--addr", folder, "--data"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("stderr lacks %q:\n%s", part, stderr)
		}
	}
}

func TestADrainThatCannotReachEverybodyIsSaidAtItsStart(t *testing.T) {
	t.Parallel()
	p, url, _ := startServe(t, "--key", "k", "--secret", "s", "--bus", "memory", "--drain-rate", "1", "--shutdown-timeout", "2s")
	for range 5 {
		dialGorilla(t, "ws"+strings.TrimPrefix(url, "http")+"/app/k?protocol=7")
	}
	p.signal(t, syscall.SIGTERM)
	p.stderr.waitFor(t, "--drain-rate is too slow for --shutdown-timeout")
	p.stderr.waitFor(t, "drain-rate=1 shutdown-timeout=2s connections=5 told=1")
}
