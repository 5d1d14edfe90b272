// Package roost_test holds what is true of the module as a whole.
package roost_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/roost-ws/roost"

// rule says what the packages of one folder may import; the first that fits
// counts. Folders that are not named may not exist: whoever adds one says here
// where it belongs.
type rule struct {
	folder  string
	house   []string // folders of this module, its own apart; tests keep to it too
	foreign []string // modules of others; nil: any
	never   []string // packages of the standard library
}

// The house, as docs/architecture.md draws it: arrows point down only.
var rules = []rule{
	{"poller", nil, []string{"golang.org/x/sys"}, []string{"log", "log/slog", "net"}},
	{"codec", nil, []string{"github.com/gobwas/ws", "github.com/klauspost/compress"}, []string{"net", "os", "syscall", "time"}},
	{"pool", nil, []string{"github.com/panjf2000/ants/v2"}, []string{"net", "syscall"}},
	{"internal/conformance", []string{"engine"}, []string{}, nil},                                          // tests only
	{"internal/interop", []string{"engine", "codec", "internal/testio"}, []string{}, nil},                  // tests only
	{"internal/floods", []string{"engine", "codec", "internal/testio"}, []string{"golang.org/x/sys"}, nil}, // tests only
	{"internal/soak", []string{"loadtest"}, []string{}, nil},
	{"internal", nil, []string{"golang.org/x/sys"}, nil},
	{"engine", []string{"poller", "codec", "pool", "internal"}, []string{}, []string{"encoding/json", "flag"}},
	{"push", []string{"engine", "internal"}, nil, []string{"flag"}},
	{"loadtest", []string{"poller", "codec", "pool", "internal"}, nil, []string{"flag"}},
	{"cmd", []string{"engine", "push", "loadtest", "internal"}, nil, nil},
	{"docs", []string{"engine", "push", "loadtest"}, []string{}, nil},
}

// systems are build contexts that together have every file in some package.
var systems = [][]string{
	{"GOOS=linux"},
	{"GOOS=linux", "GOFLAGS=-tags=kqueuemodel"},
	{"GOOS=linux", "GOFLAGS=-tags=kqueuemodel,kqueuepipe"},
	{"GOOS=darwin"}, {"GOOS=freebsd"}, {"GOOS=openbsd"}, {"GOOS=windows"},
}

func TestArrowsPointDownOnly(t *testing.T) {
	for _, env := range systems {
		t.Run(strings.Join(env, " "), func(t *testing.T) {
			t.Parallel()
			for _, p := range list(t, env, "./...") {
				if p.path == module {
					continue // this test's own
				}
				r, ok := ruleOf(p.path)
				if !ok {
					t.Errorf("%s has no rule: add its folder to rules", p.path)
					continue
				}
				r.check(t, p)
			}
		})
	}
}

// The load tester must be able to find the engine's bugs, so it shares none of
// its code, by no detour either.
func TestLoadtestNeverReachesTheEngine(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, nil, "-deps", "-test", "./loadtest") {
		if within(strings.Fields(p.path)[0], module+"/engine") {
			t.Errorf("loadtest or its tests depend on %s", p.path)
		}
	}
}

// The peers that bench compares with are nobody else's dependencies.
func TestNothingImportsBench(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("bench/go.mod"); err != nil {
		t.Errorf("bench is no module of its own: %v", err)
	}
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), module+"/bench") {
		t.Error("go.mod names the bench module")
	}
}

func (r rule) check(t *testing.T, p pkg) {
	t.Helper()
	for _, path := range p.imports {
		switch {
		case within(path, module):
			r.checkHouse(t, p.path, path)
		case !strings.Contains(path, "."):
			if slices.Contains(r.never, path) {
				t.Errorf("%s imports %s, which %s must never know", p.path, path, r.folder)
			}
		case r.foreign != nil && !slices.ContainsFunc(r.foreign, func(m string) bool { return within(path, m) }):
			t.Errorf("%s imports %s, and may only import %v of others", p.path, path, r.foreign)
		}
	}
	for _, path := range p.testImports {
		if within(path, module) {
			r.checkHouse(t, p.path+" [test]", path)
		}
	}
}

func (r rule) checkHouse(t *testing.T, from, path string) {
	t.Helper()
	for _, folder := range append([]string{r.folder}, r.house...) {
		if within(path, module+"/"+folder) {
			return
		}
	}
	t.Errorf("%s imports %s, and may only import %v of this module", from, path, r.house)
}

func ruleOf(path string) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return within(path, module+"/"+r.folder) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// within reports whether an import path is root or below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// pkg is what go list tells of a package.
type pkg struct {
	path                 string
	imports, testImports []string
}

func list(t *testing.T, env []string, args ...string) []pkg {
	t.Helper()
	const form = `{{.ImportPath}}|{{.Dir}}|{{join .Imports " "}}|{{join .TestImports " "}} {{join .XTestImports " "}}`
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-f", form}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	var all []pkg
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		all = append(all, pkg{f[0], strings.Fields(f[2]), strings.Fields(f[3])})
		// go test caches what a test did until a file that it looked at changes,
		// and does not see what go list looked at.
		if _, err := os.ReadDir(f[1]); within(f[0], module) && err != nil {
			t.Fatal(err)
		}
	}
	if len(all) == 0 {
		t.Fatalf("go list %v names no package", args)
	}
	return all
}
