//go:build unix

package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// nodeWS is the version of the npm package ws that the tests install.
const nodeWS = "ws@8.23.0"

// installing is held by the test that installs packages of npm for all.
var installing sync.Mutex

// installNodeWS returns a folder with ws in its node_modules. It installs it
// once, into the cache folder of the repository. Without node or npm the test
// is skipped, but not under CI.
func installNodeWS(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing and CI is set", tool)
			}
			t.Skipf("%s is missing: no interop with the npm package ws", tool)
		}
	}
	installing.Lock()
	defer installing.Unlock()
	dir, err := filepath.Abs("../../.cache/npm-ws")
	must(t, err)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "ws", "package.json")); err == nil {
		return dir
	}
	must(t, os.MkdirAll(dir, 0o755))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", nodeWS).CombinedOutput()
	if err != nil {
		t.Fatalf("npm install %s: %v\n%s", nodeWS, err, out)
	}
	return dir
}

func node(t *testing.T, dir, url, scenario string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "node", "testdata/interop.mjs", dir, url, scenario)
	cmd.Stderr = testWriter{t}
	return cmd
}

// testWriter passes a child's output on to the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

func TestNodeWS(t *testing.T) {
	t.Parallel()
	dir := installNodeWS(t)
	for _, x := range []struct {
		scenario string
		flags    []string
	}{
		{"echo", nil},
		{"deflate", []string{"--deflate"}},
		{"fragments", nil},
		{"ping", nil},
		{"close", nil},
		{"refused", []string{"--max-payload", "4KiB"}},
		{"pause", []string{"--max-outbox", "2MiB", "--rcvbuf", "64KiB", "--sndbuf", "64KiB"}},
	} {
		for _, dispatch := range []string{"pool", "loop"} {
			t.Run(x.scenario+" dispatch "+dispatch, func(t *testing.T) {
				t.Parallel()
				_, url := startEcho(t, append([]string{"--dispatch", dispatch}, x.flags...)...)
				if err := node(t, dir, url, x.scenario).Run(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestNodeWSSeesTheShutdown(t *testing.T) {
	t.Parallel()
	dir := installNodeWS(t)
	p, url := startEcho(t)
	cmd := node(t, dir, url, "shutdown")
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "open\n" {
		t.Fatalf("node says %q, %v", line, err)
	}
	p.signal(t, syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}
