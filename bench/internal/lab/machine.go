// Package lab is what bench's commands share: it says what a run was made on, and
// works out and writes its figures. It never starts anything that is measured.
package lab

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Machine describes the processor, the kernel and the Go release, in one line.
func Machine(ctx context.Context) string {
	return fmt.Sprintf("%s, %d cores, Linux %s, %s", cpuModel(), runtime.NumCPU(), Output(ctx, "uname", "-r"), runtime.Version())
}

// Revision is the commit that a Go binary was built from, and whether the tree
// had changes that are in no commit.
func Revision(bin string) string {
	info, err := buildinfo.ReadFile(bin)
	if err != nil {
		return "unknown"
	}
	commit, changed := "of no commit", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(7, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	return commit + changed
}

// Output is a command's first line, or "unknown": it is only for describing.
func Output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
