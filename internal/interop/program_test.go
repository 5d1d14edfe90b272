package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-ws/roost/internal/testio"
)

// need skips the test when a program is missing, and fails it where CI is set.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing(t, p)
		}
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing, and CI is set", what)
	}
	t.Skipf("%s is missing", what)
}

// installing is held by the test that installs a package for all.
var installing sync.Mutex

// npm installs a package once, into the cache folder of the repository, and returns
// the folder that has it in its node_modules.
func npm(t *testing.T, name, version string) string {
	t.Helper()
	need(t, "node", "npm")
	installing.Lock()
	defer installing.Unlock()
	dir, err := filepath.Abs("../../.cache/npm-" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", name, "package.json")); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", name+"@"+version).CombinedOutput()
	if err != nil {
		t.Fatalf("npm install %s@%s: %v\n%s", name, version, err, out)
	}
	return dir
}

func nodeWS(t *testing.T) string { return npm(t, "ws", "8.23.0") }

// program is a script that runs until it has done what it is for, or its input ends.
type program struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// start runs a script of testdata with job as its last argument, in JSON.
func start(t *testing.T, job any, command ...string) *program {
	t.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], string(text))...)
	cmd.Stderr = logWriter{t}
	in, out := testio.Start(t, cmd)
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // what it says is asked by finish
		cancel()
	})
	return &program{cmd, bufio.NewReader(out)}
}

// line is the next line that the program prints.
func (p *program) line(t *testing.T) string {
	t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", p.cmd.Args[1], err)
	}
	return strings.TrimSpace(s)
}

// logWriter passes a program's complaints on to the test's log.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}
