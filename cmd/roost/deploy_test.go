//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func deployFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs/deploy", name))
	must(t, err)
	return string(text)
}

func TestUnitsSatisfySystemd(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("systemd-analyze is not there")
	}
	dir := t.TempDir()
	verify := exec.CommandContext(t.Context(), "systemd-analyze", "verify")
	for _, unit := range []string{"roost.service", "roost.socket"} {
		path := filepath.Join(dir, unit)
		text := strings.ReplaceAll(deployFile(t, unit), "/usr/local/bin/roost", roostBinary)
		must(t, os.WriteFile(path, []byte(text), 0o644))
		verify.Args = append(verify.Args, path)
	}
	out, err := verify.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

var variable = regexp.MustCompile(`ROOST_[A-Z_]+`)

func TestDeploymentsUseSettingsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"ROOST_CONFIG": true}
	cmd, _ := newServe()
	newRootCommand().PersistentFlags().VisitAll(func(f *pflag.Flag) { cmd.Flags().AddFlag(f) })
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known[envName(f.Name)] = true })
	for _, name := range []string{"roost.service", "Dockerfile", "kubernetes.yaml", "without-docker"} {
		for _, v := range variable.FindAllString(deployFile(t, name), -1) {
			if !known[v] {
				t.Errorf("%s sets %s, which nothing reads", name, v)
			}
		}
	}
	_, yaml, _ := strings.Cut(deployFile(t, "kubernetes.yaml"), "roost.yaml: |\n")
	yaml, _, _ = strings.Cut(yaml, "---")
	file := settingsFile(t, strings.ReplaceAll(yaml, "\n    ", "\n")[4:])
	if code, _, stderr := runRoost(t, nil, "serve", "--config", file, "--check-config"); code != 0 {
		t.Errorf("the settings in kubernetes.yaml: exit code %d: %s", code, stderr)
	}
}

// The steps that a container would be built of must be those that can be tried.
func TestWithoutDockerDoesWhatTheDockerfileDoes(t *testing.T) {
	t.Parallel()
	build := regexp.MustCompile(`CGO_ENABLED=0 go build.* -o `)
	image, script := build.FindString(deployFile(t, "Dockerfile")), build.FindString(deployFile(t, "without-docker"))
	if image == "" || image != script {
		t.Errorf("the Dockerfile builds by %q, without-docker by %q", image, script)
	}
}

func TestTheMigratedSettingsAreGood(t *testing.T) {
	t.Parallel()
	checkFirstSettings(t, "../../docs/migrating.md")
}

func TestTheFleetsSettingsAreGood(t *testing.T) {
	t.Parallel()
	checkFirstSettings(t, "../../docs/fleet.md")
}

// checkFirstSettings has --check-config read the first settings file of a page.
func checkFirstSettings(t *testing.T, path string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, yaml, _ := strings.Cut(string(page), "```yaml\n")
	yaml, _, ok := strings.Cut(yaml, "```\n")
	if !ok {
		t.Fatal("the page has no settings")
	}
	if code, stdout, stderr := runRoost(t, nil, "serve", "--config", settingsFile(t, yaml), "--check-config"); code != 0 || stderr != "" {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
