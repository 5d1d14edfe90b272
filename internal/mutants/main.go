// Command mutants breaks the engine, in one place at a time, and tells after how many
// seeds the simulated kernel notices. A defect that it does not notice shows what its
// model does not check.
//
// A maintainer runs it, from the root of the repository; it changes no file there.
//
//	go run ./internal/mutants -seeds 2000
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	seeds := flag.Int("seeds", 2000, "simulations for each mutant")
	only := flag.String("only", "", "run the mutants whose name contains this")
	flag.Parse()
	survived, err := run(*seeds, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if survived > 0 {
		fmt.Printf("%d survived\n", survived)
		os.Exit(1)
	}
}

func run(seeds int, only string) (survived int, err error) {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	tried := 0
	for _, m := range mutants {
		if !strings.Contains(m.name, only) {
			continue
		}
		tried++
		why, seed, err := m.try(dir, seeds)
		switch {
		case err != nil:
			survived++
			fmt.Printf("%-44s IS NONE: %v\n", m.name, err)
		case seed == 0:
			survived++
			fmt.Printf("%-44s SURVIVED %d seeds\n", m.name, seeds)
		default:
			fmt.Printf("%-44s seed %5d  %s\n", m.name, seed, why)
		}
	}
	if tried == 0 {
		return 0, fmt.Errorf("-only %q: no mutant's name contains this; the names are in internal/mutants/mutants.go", only)
	}
	return survived, nil
}

// mutant is one defect: in file, old becomes new.
type mutant struct{ name, file, old, new string }

var replay = regexp.MustCompile(`(?m)sim_test\.go:\d+: (.*)\n\s+replay: .* -seed (\d+)$`)

// try runs the simulation on m, and returns the seed that caught it, 0 for none. The
// go tool reads the broken file in the place of the good one.
func (m mutant) try(dir string, seeds int) (why string, seed int, err error) {
	overlay, err := m.overlay(dir)
	if err != nil {
		return "", 0, err
	}
	out, err := exec.Command("go", "test", "-overlay", overlay, "-count=1", "-timeout=10m", "-run=SimulatedKernel",
		"./engine", "-seeds", strconv.Itoa(seeds), "-fresh", "0").CombinedOutput()
	if err == nil {
		return "", 0, nil
	}
	if found := replay.FindSubmatch(out); found != nil {
		seed, err = strconv.Atoi(string(found[2]))
		return string(found[1]), seed, err
	}
	if strings.Contains(string(out), "[build failed]") || !strings.Contains(string(out), "FAIL") {
		return "", 0, fmt.Errorf("%w\n%s", err, out)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, -1, nil // the process died of it
}

// overlay writes the broken file and go's list of such files.
func (m mutant) overlay(dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join("engine", m.file))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("%s has this %d times, want 1:\n%s", m.file, n, m.old)
	}
	broken := filepath.Join(dir, m.file)
	if err := os.WriteFile(broken, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}
