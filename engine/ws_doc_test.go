//go:build unix

package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// docs/node-ws.md names a test for everything it claims, and leaves no situation out.
func TestNodeWSTableIsTrue(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/node-ws.md")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{"TestNodeWSTableIsTrue": true}
	for _, dir := range []string{".", "../codec", "../internal/conformance", "../internal/interop", "../internal/mount"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Example)\w+)\(`).FindAllSubmatch(source, -1) {
				have[string(m[1])] = true
			}
		}
	}
	for _, m := range regexp.MustCompile("`((?:Test|Example)\\w+)`").FindAllSubmatch(doc, -1) {
		if !have[string(m[1])] {
			t.Errorf("there is no %s", m[1])
		}
	}
	next := 1
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+)(?:–(\d+))? \|`).FindAllSubmatch(doc, -1) {
		if string(m[1]) != fmt.Sprint(next) {
			t.Errorf("situation %s comes where %d should", m[1], next)
		}
		next, _ = strconv.Atoi(string(m[1]))
		if len(m[2]) > 0 {
			next, _ = strconv.Atoi(string(m[2]))
		}
		next++
	}
	if next != 102 {
		t.Errorf("the last situation is %d", next-1)
	}
}
