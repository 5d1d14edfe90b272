package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestUsageErrorsExitWith2AndSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"ecko"}, []string{`no command "ecko"`, "did you mean echo"}},
		{[]string{"echo", "--no-such"}, []string{"--no-such"}},
		{[]string{"echo", "stray"}, []string{`"stray"`}},
		{[]string{"serve", "--maxconns", "3"}, []string{"--maxconns", "did you mean --max-conns?"}},
		{[]string{"serve", "addr"}, []string{`"addr"`, "takes flags", "did you mean --addr?"}},
		{[]string{"serve", "--channels", "{}"}, []string{"--channels is no list", `[{"match":`}},
		{[]string{"serve", "--channels", `[{"match":"a"},{"mach":"b"}]`}, []string{"--channels, entry 2", `"mach"`, `[{"match":`}},
		{[]string{"serve", "--allowed-origin", "*"}, []string{`allowed origin "*"`, "https://example.com", "any"}},
		{[]string{"serve", "--allowed-origin", "https://example.com/"}, []string{"without a path"}},
		{[]string{"completion", "nosh"}, []string{`no shell "nosh"`, "bash, fish, powershell, zsh"}},
		{[]string{"pub", "news"}, []string{"pub: DATA is missing", "roost pub CHANNEL DATA"}},
		{[]string{"pub", "news", "hello", "world"}, []string{`pub: "world" is too much after CHANNEL DATA`}},
		{[]string{"sub"}, []string{"sub: CHANNEL is missing"}},
		{[]string{"pub", "news", "x", "--addr", "foo"}, []string{`--addr "foo": no host:port`}},
		{[]string{"pub", "news", "x", "--key", "k"}, []string{`--key "k"`, "--app-id", "ROOST_SECRET"}},
		{[]string{"sub", "news", "private-orders", "--key", "k"}, []string{`--key "k"`, "private-orders is signed", "ROOST_SECRET"}},
		{[]string{"sub", "news", "presence-room"}, []string{"presence-room", "--user-id"}},
		{[]string{"echo", "--loops", "5000"}, []string{`--loops "5000"`, "0 to 1024", "one a core"}},
		{[]string{"echo", "--max-outbox", "16QiB"}, []string{`--max-outbox "16QiB"`, "64KiB"}},
		{[]string{"echo", "--max-outbox", "1"}, []string{`--max-outbox "1"`, "1KiB to"}},
		{[]string{"echo", "--read-buffer=9223372036854775807KiB"}, []string{`--read-buffer`, "whole number"}},
		{[]string{"echo", "--idle-timeout", "30"}, []string{`--idle-timeout "30"`, "30s"}},
		{[]string{"echo", "--ping-interval=-1s"}, []string{`--ping-interval "-1s"`, "0s to 720h"}},
		{[]string{"echo", "--dispatch", "thread"}, []string{`--dispatch "thread"`, "pool, loop"}},
		{[]string{"echo", "--log-level", "loud"}, []string{`--log-level "loud"`, "debug, info, warn, error"}},
		{[]string{"echo", "--addr", "8081"}, []string{`--addr "8081"`, "host:port"}},
		{[]string{"echo", "--addr", "127.0.0.1:70000"}, []string{`--addr "127.0.0.1:70000"`, "65535"}},
		{[]string{"echo", "--pprof", "0.0.0.0:6060"}, []string{`--pprof "0.0.0.0:6060"`, "loopback"}},
		{[]string{"echo", "--config", "/nowhere/roost.yaml"}, []string{"/nowhere/roost.yaml"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, stdout, stderr := runRoost(t, nil, c.args...)
			if code != exitUsage || stdout != "" {
				t.Errorf("exit code %d, stdout %q, want %d and nothing", code, stdout, exitUsage)
			}
			for _, part := range append(c.says, "--help") {
				if !strings.Contains(stderr, part) {
					t.Errorf("stderr lacks %q:\n%s", part, stderr)
				}
			}
		})
	}
}

func TestPortInUseExitsWith1AndSaysByWhom(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	addr := l.Addr().String()
	code, _, stderr := runRoost(t, nil, "echo", "--addr", addr)
	if code != exitFailure {
		t.Errorf("exit code %d, want %d", code, exitFailure)
	}
	holder := fmt.Sprintf("process %d", os.Getpid())
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		holder = "another process"
	}
	for _, part := range []string{addr, holder, "--addr"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("stderr lacks %q:\n%s", part, stderr)
		}
	}
}

// probe runs a command with one flag under the real root and returns the value
// that the flag ends up with.
func probe(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRootCommand()
	value := ""
	c := &cobra.Command{Use: "probe", RunE: func(cmd *cobra.Command, _ []string) error {
		value = cmd.Flag("max-conns").Value.String()
		return nil
	}}
	var n int
	count(c.Flags(), &n, "max-conns", 7, 0, 1<<20, "connections")
	root.AddCommand(c)
	root.SetArgs(append([]string{"probe"}, args...))
	err := root.Execute()
	return value, err
}

func settingsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roost.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	path := settingsFile(t, "max-conns: 10k\n")
	for _, c := range []struct {
		name, env, want string
		args            []string
	}{
		{"default", "", "7", nil},
		{"file", "", "10000", []string{"--config", path}},
		{"environment", "200", "200", []string{"--config", path}},
		{"flag", "200", "3", []string{"--config", path, "--max-conns", "3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("ROOST_MAX_CONNS", c.env)
			got, err := probe(t, c.args...)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestConfigPathMayComeFromTheEnvironment(t *testing.T) {
	t.Setenv("ROOST_CONFIG", settingsFile(t, "max-conns: 42\n"))
	if got, err := probe(t); err != nil || got != "42" {
		t.Errorf("got %q, %v, want 42", got, err)
	}
}

func TestRefusedSettingsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, env, file, says string }{
		{"unknown keys", "", "max-cons: 1\nmax-conns: 2\nloop: 3\n", "unknown key loop (line 3) (did you mean loops?), max-cons (line 1) (did you mean max-conns?);"},
		{"nested key", "", "limits:\n  max-conns: 2\n", "limits.max-conns"},
		{"key without value", "", "max-conns:\n", "no value"},
		{"map for a value", "", "max-conns: {}\n", "max-conns: map[] is no single value"},
		{"bad value in the file", "", "max-conns: many\n", `roost.yaml:1: max-conns "many": not a whole number`},
		{"bad value in the environment", "many", "max-conns: 2\n", `ROOST_MAX_CONNS "many": not a whole number`},
		{"no YAML", "", "\tmax-conns", "settings file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("ROOST_MAX_CONNS", c.env)
			_, err := probe(t, "--config", settingsFile(t, c.file))
			if err == nil || !strings.Contains(err.Error(), c.says) || exitCode(err) != exitUsage {
				t.Errorf("got %v with exit code %d, want %q with %d", err, exitCode(err), c.says, exitUsage)
			}
		})
	}
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	t.Parallel()
	for _, c := range newRootCommand().Commands() {
		if c.Name() == "completion" || c.Name() == "help" {
			continue
		}
		code, stdout, _ := runRoost(t, nil, c.Name(), "--help")
		if code != 0 || !strings.Contains(stdout, "Examples:") || !strings.Contains(stdout, "roost "+c.Name()) {
			t.Errorf("roost %s --help: exit code %d:\n%s", c.Name(), code, stdout)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		code, stdout, stderr := runRoost(t, nil, "completion", shell)
		if code != 0 || !strings.Contains(stdout, "roost") {
			t.Errorf("%s: exit code %d: %s", shell, code, stderr)
		}
	}
	if _, stdout, _ := runRoost(t, nil, "__complete", "ec"); !strings.HasPrefix(stdout, "echo\t") {
		t.Errorf("completing ec: %q", stdout)
	}
}

func TestVersionNamesTheGoRelease(t *testing.T) {
	t.Parallel()
	code, stdout, _ := runRoost(t, nil, "version")
	if code != 0 || !strings.HasPrefix(stdout, "roost ") || !strings.Contains(stdout, " go1.") {
		t.Errorf("exit code %d: %q", code, stdout)
	}
}

func TestNumbersTakeSuffixes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "-1": -1, "4096": 4096, "10k": 10_000, "10K": 10_000, "2kB": 2000, "64KiB": 65536, "64ki": 65536,
		"16MiB": 16 << 20, "3M": 3e6, "1GiB": 1 << 30, "512B": 512,
	} {
		if got, err := parseNumber(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "1.5k", "1 000", "ten", "9e18k", "9223372036854775807k"} {
		if got, err := parseNumber(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}
