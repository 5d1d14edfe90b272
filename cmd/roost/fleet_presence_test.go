//go:build unix

package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pusherSDKs are installed as their users do.
var pusherSDKs = []string{"pusher-js@8.6.0", "pusher@5.3.4"}

// installPusherSDKs returns a folder with them in its node_modules, as
// installNodeWS does.
func installPusherSDKs(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing and CI is set", tool)
			}
			t.Skipf("%s is missing: no fleet with Pusher's SDKs", tool)
		}
	}
	installing.Lock()
	defer installing.Unlock()
	dir, err := filepath.Abs("../../.cache/npm-fleet")
	must(t, err)
	mark := filepath.Join(dir, strings.Join(pusherSDKs, "+")+".installed")
	if _, err := os.Stat(mark); err == nil {
		return dir
	}
	must(t, os.MkdirAll(dir, 0o755))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	args := append([]string{"install", "--prefix", dir, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"}, pusherSDKs...)
	if out, err := exec.CommandContext(ctx, "npm", args...).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("no fleet with Pusher's SDKs: npm install: %v", err)
		}
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	must(t, os.WriteFile(mark, nil, 0o644))
	return dir
}

// Presence, watchlists, counts and terminations are those of three processes, as
// unmodified SDKs see them, and go with a process that is killed.
func TestPresenceIsThatOfTheFleetForPusherJS(t *testing.T) {
	t.Parallel()
	root := installPusherSDKs(t)
	f := startFleet(t, 1, "--subscription-counts")
	args := []string{"testdata/presence.mjs", root}
	for _, url := range f.urls {
		args = append(args, strings.TrimPrefix(url, "http://"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Stderr = testWriter{t}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if said = append(said, lines.Text()); lines.Text() == "kill" {
			f.nodes[2].signal(t, syscall.SIGKILL)
		}
	}
	if err := cmd.Wait(); err != nil || strings.Join(said, " ") != "kill done" {
		t.Errorf("pusher-js: %v, said %v", err, said)
	}
}
