//go:build unix

package main

import (
	"strings"
	"testing"
)

func TestLoadtestPushFindsTheLocalServerAndLosesNothing(t *testing.T) {
	t.Parallel()
	_, url, env := startServe(t, "--client-events", "--client-event-rate", "1000")
	url = strings.Replace(url, "http", "ws", 1)
	common := []string{"loadtest", "push", url, "--conns", "60", "--channels", "6", "--rate", "300", "--duration", "500ms", "--warmup", "0s", "--quiet",
		"--expect", "loss==0", "--expect", "lost==0", "--expect", "duplicates==0", "--expect", "reordered==0", "--expect", "incomplete==0", "--expect", "publish-errors==0"}
	for says, more := range map[string][]string{
		"by HTTP, 4 publishers":       {"--private", "50%", "--presence", "20%"},
		"requests of up to 10":        {"--batch", "10", "--zipf", "1.2", "--subscriptions", "2"},
		"asked for, by client events": {"--publish", "client"},
	} {
		code, stdout, stderr := runRoost(t, env, append(common, more...)...)
		if code != 0 || !strings.Contains(stdout, says) || !strings.Contains(stdout, "published   150 events of 128 B") || !strings.Contains(stdout, "a publish") || stderr != "" {
			t.Errorf("%v: exit code %d, stderr %q, report without %q:\n%s", more, code, stderr, says, stdout)
		}
	}
}

func TestLoadtestPushNamesTheCredentialsItLacks(t *testing.T) {
	t.Parallel()
	env := []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
	code, _, stderr := runRoost(t, env, "loadtest", "push", "ws://127.0.0.1:1")
	if code == 0 || !strings.Contains(stderr, "--app-key") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	code, _, stderr = runRoost(t, env, "loadtest", "push", "ws://127.0.0.1:1", "--app-key", "k", "--app-id", "1")
	if code != 2 || !strings.Contains(stderr, "no app secret") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}
