//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckConfigPrintsWhatHoldsWithoutSecrets(t *testing.T) {
	t.Parallel()
	file := settingsFile(t, `
max-conns: 10k
secret: s3cret-of-the-first
bus: nats://user:s3cret@127.0.0.1:4222
apps:
  - id: shop
    key: shop-key
    secret: s3cret-of-shop
    previous_secrets: [s3cret-before]
    webhooks:
      - {url: http://127.0.0.1:1/hook, headers: {Authorization: s3cret-token}}
      - {url: "http://hook:s3cret@127.0.0.1:1/hook?token=s3cret"}
      - {url: "http://s3cret-token@127.0.0.1:1/hook"}
`)
	code, stdout, stderr := runRoost(t, []string{"ROOST_TOKEN=s3cret-console-token"}, "serve", "--config", file, "--key", "k", "--check-config")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if strings.Contains(stdout, "s3cret") {
		t.Errorf("a secret was printed:\n%s", stdout)
	}
	for _, line := range []string{"max-conns: 10000", `key: "k"`, "shutdown-timeout: 10s", `bus: "nats://user:xxxxx@127.0.0.1:4222"`, `"id":"shop"`, `"url":"http://hook:xxxxx@127.0.0.1:1/hook?xxxxx"`, "max-payload: 10KiB"} {
		if !strings.Contains(stdout, line) {
			t.Errorf("not printed: %s\n%s", line, stdout)
		}
	}
	// What was printed is a settings file, secrets apart.
	again := settingsFile(t, stdout)
	if code, second, stderr := runRoost(t, nil, "serve", "--config", again, "--check-config"); code != 0 || second != stdout {
		t.Errorf("read again: exit code %d: %s\n%s", code, stderr, second)
	}
}

func TestCheckConfigNamesThePlaceOfWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, key := writePair(t, t.TempDir(), 1)
	for text, says := range map[string]string{
		"addr: 127.0.0.1:0\nmax-payload: huge\n": `roost.yaml:2: max-payload "huge": not a whole number`,
		"addr: 127.0.0.1\n":                      "host:port",
		"max-conn: 1\n":                          "unknown key max-conn (line 1)",
		"bus: rabbit\n":                          `--bus "rabbit" is unknown`,
		"apps: [{id: a, key: k}]\n":              "roost.yaml:1: apps, entry 1: app a has no secret",
		"addr: 127.0.0.1:0\napps:\n  - {id: a, key: k, secret: s}\n  - {id: b, key: l, secret: t, client-events: true}\n": `roost.yaml:2: apps, entry 2: unknown field "client-events"; did you mean client_events?`,
		"apps: [{id: a, key: k, secret: s, limit: {}}]\n":                                                                 `unknown field "limit"`,
		"token: short\n":                                    "roost.yaml:1: token: the console's token has 5 characters and needs 16",
		"activity-timeout: 10ms\n":                          "must be 1 s or more",
		"tls-cert: " + key + "\ntls-key: " + key + "\n":     "--tls-cert " + key,
		"tls-cert: /nowhere\ntls-key: /nowhere\n":           "stat /nowhere",
		"channels: [{match: '['}]\nkey: k\nsecret: s\n":     `pattern "[" can't be read`,
		"webhooks: [{url: 'ftp://h'}]\nkey: k\nsecret: s\n": `webhook URL "ftp://h"`,
		"key: 'no spaces'\n":                                `app key "no spaces"`,
		"memory-limit: 1\n":                                 "16MiB or more",
		"bus: nats://\n":                                    "server 1 has no host",
		"bus: 'nats://h:4222,nats://:4222'\n":               "server 2 has no host",
		"---\naddr: :0\n---\nmax-conns: 1\n":                "roost.yaml:4: a second YAML document",
		"max-channels: 0\n":                                 `max-channels "0": out of range`,
	} {
		code, stdout, stderr := runRoost(t, nil, "serve", "--config", settingsFile(t, text), "--check-config")
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", text, code, exitUsage, says, stdout, stderr)
		}
	}
}

func TestCheckConfigSaysWhatIsMadeUp(t *testing.T) {
	t.Parallel()
	const made = ": made up at each start\n"
	for _, c := range []struct {
		args  []string
		lines []string
	}{
		{nil, []string{"# key" + made, "# secret" + made, "# token" + made}},
		{[]string{"--key", "demo"}, []string{"key: \"demo\"\n", "# secret" + made}},
		{[]string{"--key", "demo", "--secret", "s"}, []string{"secret: \"" + masked + "\"\n"}},
		{[]string{"--apps", `[{"id":"a","key":"k","secret":"s"}]`}, []string{"# key: below apps\n", "# secret: below apps\n"}},
	} {
		code, stdout, stderr := runRoost(t, nil, append([]string{"serve", "--check-config"}, c.args...)...)
		for _, line := range c.lines {
			if code != 0 || !strings.Contains("\n"+stdout, "\n"+line) {
				t.Errorf("%q: exit code %d, not printed: %s\n%s%s", c.args, code, line, stdout, stderr)
			}
		}
	}
}

func TestASecretThatIsSetAndEmptyIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ROOST_KEY", "ROOST_SECRET", "ROOST_TOKEN"} {
		code, stdout, stderr := runRoost(t, []string{name + "="}, "serve", "--check-config")
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, name+" is set, and empty") {
			t.Errorf("%s: exit code %d: %s%s", name, code, stdout, stderr)
		}
	}
	if code, _, stderr := runRoost(t, []string{"ROOST_SECRET="}, "serve", "--check-config", "--key", "k", "--secret", "s"); code != 0 {
		t.Errorf("with --secret: exit code %d: %s", code, stderr)
	}
}

func TestCheckConfigWarnsOfWhatCannotHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, env []string
		says      string // empty: nothing
	}{
		{[]string{"--drain-window", "20s", "--shutdown-timeout", "5s"}, nil, "--shutdown-timeout (5s) is not longer than --drain-delay (0s) and --drain-window (20s)"},
		{[]string{"--channels", `[{"match":"a","history":{"count":1000000}}]`}, nil, `history of "a" is 1000000 events`},
		{[]string{"--channels", `[{"match":"a","history":{"count":1,"age":"10000h"}}]`}, nil, "raise --bus-history and --bus-history-age"},
		{[]string{"--channels", `[{"match":"a","history":{"count":1000000}}]`, "--bus", "memory"}, nil, ""},
		{nil, []string{"ROOST_MAX_CONN=1"}, "ROOST_MAX_CONN is no setting of any command, and ignored; did you mean ROOST_MAX_CONNS?"},
		{nil, []string{"ROOST_APP_SECRET=x", "ROOST_AGENTS_TOKEN=x", "ROOST_PORT=tcp://10.0.0.1:80", "ROOST_SERVICE_HOST=10.0.0.1"}, ""},
	} {
		code, stdout, stderr := runRoost(t, c.env, append([]string{"serve", "--check-config"}, c.args...)...)
		if code != 0 || stdout == "" || !strings.Contains(stderr, c.says) || c.says == "" && stderr != "" {
			t.Errorf("%q %q: exit code %d, want 0 and %q:\n%s", c.env, c.args, code, c.says, stderr)
		}
	}
}

func TestCheckConfigLeavesNothing(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if code, _, stderr := runRoost(t, []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home}, "serve", "--check-config"); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	left, err := filepath.Glob(filepath.Join(home, "*"))
	must(t, err)
	if hidden, err := os.ReadDir(home); err != nil || len(left)+len(hidden) > 0 {
		t.Errorf("left: %v %v, %v", left, hidden, err)
	}
}
