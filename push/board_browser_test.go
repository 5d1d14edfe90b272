package push_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/roost-ws/roost/push"
)

// The dashboard as a person uses it: by mouse, by keyboard, by screen reader.
func TestDashboardInChromium(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("chromium is needed in CI: %v", err)
		}
		t.Skip("dashboard not tested: no chromium here")
	}
	root := npmInstall(t, "npm-board", "playwright-core@1.65.1", "axe-core@4.14.1")
	r := start(t, push.Options{})
	cmd := r.node(t, root, "board.mjs")
	cmd.Env = append(cmd.Env, "URL=http://"+r.addr, "TOKEN="+token)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("board.mjs: %v\n%s", err, out)
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		var tried struct{ Name, Error string }
		if err := json.Unmarshal([]byte(line), &tried); err != nil {
			t.Fatalf("board.mjs said %q", line)
		}
		n++
		t.Run(tried.Name, func(t *testing.T) {
			if tried.Error != "" {
				t.Error(tried.Error)
			}
		})
	}
	if n < 8 {
		t.Errorf("board.mjs tried %d things", n)
	}
}
