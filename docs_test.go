package roost_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are the texts for readers.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, name := range append(names, "README.md", "CONTRIBUTING.md") {
		all[name] = read(t, name)
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var link = regexp.MustCompile(`\]\(([^)#]+)`)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
}

// What README shows is what the compiler sees.
func TestReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	_, code, _ := strings.Cut(read(t, "docs/examples/echo/main.go"), "// Command echo is the smallest server on the engine.\n")
	if !strings.Contains(read(t, "README.md"), "```go\n"+code+"```\n") {
		t.Error("README.md does not hold docs/examples/echo/main.go as it is")
	}
}

func TestGettingStartedShowsTheExample(t *testing.T) {
	t.Parallel()
	_, code, _ := strings.Cut(read(t, "docs/examples/push/main.go"), "// Command push subscribes to a channel and publishes to it.\n")
	if !strings.Contains(read(t, "docs/getting-started.md"), "```go\n"+code+"```\n") {
		t.Error("docs/getting-started.md does not hold docs/examples/push/main.go as it is")
	}
}

var flagName = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)

// Every flag of the engine, which are echo's, is explained, and none that there is
// not. What is serve's alone is in docs/settings.md, which is made from its flags.
func TestTuningExplainsEveryFlag(t *testing.T) {
	t.Parallel()
	roost := filepath.Join(t.TempDir(), "roost")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", roost, "./cmd/roost").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	flags := func(command ...string) []string {
		out, err := exec.CommandContext(t.Context(), roost, append(command, "--help")...).Output()
		if err != nil {
			t.Fatalf("roost %v --help: %v", command, err)
		}
		return names(string(out))
	}
	explained := names(read(t, "docs/tuning.md"))
	common := names("--addr --config --help --log-format --log-level")
	for _, name := range flags("echo") {
		if !slices.Contains(explained, name) && !slices.Contains(common, name) {
			t.Errorf("docs/tuning.md says nothing of --%s", name)
		}
	}
	known := append(append(flags("echo"), flags("serve")...), flags("loadtest", "echo")...)
	for _, name := range explained {
		if !slices.Contains(known, name) {
			t.Errorf("docs/tuning.md explains --%s, which there is not", name)
		}
	}
}

func names(text string) (list []string) {
	for _, m := range flagName.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

var testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)(…?)`")

// A page that says which test or fuzz target holds a promise must not outlive the test.
func TestTestsThatPagesNameExist(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			tests.WriteString(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range pages(t) {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			end := "("
			if m[2] != "" {
				end = "" // of several that begin so
			}
			if !strings.Contains(tests.String(), "func "+m[1]+end) {
				t.Errorf("%s names %s, which there is not", name, m[1])
			}
		}
	}
}
