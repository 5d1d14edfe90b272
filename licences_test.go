package roost_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const licencePage = "docs/licences.md"

// embedded are the works of others that the command holds beside the modules that it
// links, by the folder of each.
var embedded = map[string]string{"internal/uplot": "[uPlot](https://github.com/leeoniya/uPlot), embedded"}

// licences are told by sentences of their texts, the more special first.
var licences = []struct {
	name string
	says *regexp.Regexp
}{
	{"MPL-2.0", regexp.MustCompile(`Mozilla Public License,? [vV]ersion 2\.0`)},
	{"Apache-2.0", regexp.MustCompile(`Apache License,?\s+Version 2\.0`)},
	{"BSD-3-Clause", regexp.MustCompile(`(?s)Redistribution and use in source and binary forms.*(Neither the name|may not be used to endorse|names? of .* contributors)`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge`)},
	{"ISC", regexp.MustCompile(`Permission to use, copy, modify, and(/or)? distribute this software`)},
}

// licencesIn are those of which text holds a sentence, in its order.
func licencesIn(text string) (names []string) {
	at := make(map[int]string)
	for _, l := range licences {
		if i := l.says.FindStringIndex(text); i != nil && at[i[0]] == "" {
			at[i[0]] = l.name
		}
	}
	for _, i := range slices.Sorted(maps.Keys(at)) {
		names = append(names, at[i])
	}
	return names
}

func TestLicencesAreNamedInTheOrderOfTheText(t *testing.T) {
	t.Parallel()
	const text = "Redistribution and use in source and binary forms … Neither the name …\nFiles: a/*\nApache License\n Version 2.0"
	if got, want := licencesIn(text), []string{"BSD-3-Clause", "Apache-2.0"}; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
}

// licencesOf are those of what is in dir.
func licencesOf(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"LICEN[SC]E*", "COPYING*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, name := range licencesIn(read(t, file)) {
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return strings.Join(names, ", ")
}

// linked are the modules of others in the roost command, for any system that it is
// built for, and their licences.
func linked(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, system := range []string{"linux", "darwin", "freebsd", "windows"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}}|{{.Dir}}{{end}}{{end}}`, "./cmd/roost")
		cmd.Env = append(os.Environ(), "GOOS="+system)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for _, line := range strings.Fields(string(out)) {
			path, dir, _ := strings.Cut(line, "|")
			if _, ok := found[path]; !ok {
				found[path] = licencesOf(t, dir)
			}
		}
	}
	return found
}

// With ROOST_UPDATE set, the page is written anew.
func TestLicencesOfAllThatIsLinkedAreKnown(t *testing.T) {
	found := linked(t)
	var b strings.Builder
	for dir, name := range embedded {
		found[name] = licencesOf(t, dir)
	}
	b.WriteString("# Licences\n\nWhat is linked into or embedded in the `roost` command, on any system; versions are in [go.mod](../go.mod), digests of their content in\n" +
		"[go.sum](../go.sum). Roost's own licence is in [LICENSE](../LICENSE), that of the Go library in Go's.\n" +
		"Where a module has several, its own text says which files each holds for; not all of those need be linked.\n\n| module | licence |\n| --- | --- |\n")
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if found[path] == "" {
			t.Errorf("%s: no licence that is known: read it, and add it to licences if it may be used", path)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", path, found[path])
	}
	if os.Getenv("ROOST_UPDATE") != "" {
		if err := os.WriteFile(licencePage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, licencePage) != b.String() {
		t.Errorf("%s is not what is linked: run ROOST_UPDATE=1 go test . -run Licences", licencePage)
	}
}

// A version that moves is none: what is built today must be built tomorrow.
func TestVersionsAreFixed(t *testing.T) {
	for _, line := range strings.Split(read(t, "go.mod"), "\n") {
		if strings.HasPrefix(line, "replace ") {
			t.Errorf("go.mod: %s: whoever imports this module would not get that", line)
		}
	}
	for _, name := range []string{".ci/run", ".ci/install", ".ci/fuzz"} {
		if strings.Contains(read(t, name), "@latest") {
			t.Errorf("%s takes a tool @latest: name its version", name)
		}
	}
}
