//go:build unix

package engine

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

// The tests with other people's routers are a module of their own: their dependencies
// are none of ours.
func TestMountsInOtherRouters(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds another module")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	run := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = "../internal/mount"
		return cmd.CombinedOutput()
	}
	if out, err := run("list", "-deps", "-test", "./..."); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s", out)
		}
		t.Skipf("its modules are not to be had: %s", out)
	}
	if out, err := run("test", "./..."); err != nil {
		t.Fatalf("%s", out)
	}
}
