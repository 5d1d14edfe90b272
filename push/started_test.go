package push_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
)

// snippet is the one piece of the page that is fenced as lang, made to talk to r.
func (r *rig) snippet(page, lang string) string {
	r.t.Helper()
	all := regexp.MustCompile("(?s)\n```"+lang+"\n(.*?)\n```\n").FindAllStringSubmatch(page, -1)
	if len(all) != 1 {
		r.t.Fatalf("the page has %d pieces of %s, want 1", len(all), lang)
	}
	_, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.ReplaceAll(all[0][1], "8080", port)
}

// A newcomer who copies what the page shows sees it work.
func TestGettingStartedWorks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/getting-started.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	demo := push.App{ID: "1", Key: "demo-key", Secret: "demo-secret"}
	r := start(t, push.Options{App: demo})
	root := npmRoot(t)
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skipf("the first steps are not tested: no %s here", tool)
		}
	}
	dir := t.TempDir()
	run := func(code, name string, command ...string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, command[0], append(command[1:], path)...)
		cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(root, "node_modules"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return strings.TrimSpace(string(out))
	}

	// The browser's script, in node: the page takes pusher-js from its author's host.
	parts := strings.Split(r.snippet(page, "html"), "<script>")
	code := `const Pusher = require("pusher-js");` + strings.TrimSuffix(strings.TrimSpace(parts[len(parts)-1]), "</script>")
	heard := make(chan string, 10)
	browser := exec.CommandContext(t.Context(), "node", "-e", code)
	browser.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(root, "node_modules"))
	browser.Stdout = lineWriter(heard)
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = browser.Process.Kill() // it has no end of its own
		_ = browser.Wait()
	}()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("the browser shows %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("the browser does not show %q", want)
		}
	}
	expect("subscribed")

	if got := run(r.snippet(page, "sh"), "curl.sh", "bash", "-e"); got != "{}" {
		t.Errorf("curl: %q", got)
	}
	expect("story hello from curl")
	if got := run(r.snippet(page, "js"), "backend.cjs", "node"); got != "200" {
		t.Errorf("node: %q", got)
	}
	expect("story hello from Node")
	if got := run(r.snippet(page, "go"), "main.go", "go", "run"); got != `news story {"title":"hello from Go"}` {
		t.Errorf("go: %q", got)
	}
	expect("story hello from Go")
}

// lineWriter takes what a command says, a line each.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		w <- string(bytes.TrimSpace(line))
	}
	return len(p), nil
}
