package push_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-ws/roost/internal/testio"
	"github.com/roost-ws/roost/push"
)

// The libraries, as their users install them.
var npmPackages = []string{"pusher-js@8.6.0", "pusher@5.3.4", "pusher-http-edge@0.4.0", "laravel-echo@2.5.0"}

func npmRoot(t *testing.T) string { t.Helper(); return npmInstall(t, "npm-push", npmPackages...) }

// installing is held by the test that installs packages for all.
var installing sync.Mutex

// npmInstall returns a folder with the packages installed, outside of what git
// sees. Without node the test is skipped, except in CI.
func npmInstall(t *testing.T, folder string, packages ...string) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is needed in CI: %v", tool, err)
			}
			t.Skipf("interoperation with %s not tested: no %s here", strings.Join(packages, " and "), tool)
		}
	}
	installing.Lock()
	defer installing.Unlock()
	dir, err := filepath.Abs(filepath.Join("..", ".cache", folder))
	if err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(dir, strings.Join(packages, "+")+".installed")
	if _, err := os.Stat(mark); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", append([]string{"install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", dir}, packages...)...)
	if out, err := npm.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("interoperation not tested: npm install: %v", err)
		}
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// node returns a command that runs one of the scripts against r.
func (r *rig) node(t *testing.T, root, script string, args ...string) *exec.Cmd {
	t.Helper()
	host, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "node", append([]string{filepath.Join("testdata", "interop", script)}, args...)...)
	cmd.Env = append(os.Environ(), "NPM_ROOT="+root, "HOST="+host, "PORT="+port, "APP_ID="+app.ID, "KEY="+app.Key, "SECRET="+app.Secret)
	return cmd
}

// script is a running subscribe.mjs.
type script struct {
	t     *testing.T
	in    io.WriteCloser
	lines chan string
}

func (r *rig) pusherJS(t *testing.T, root string, env []string, channels ...string) *script {
	t.Helper()
	cmd := r.node(t, root, "subscribe.mjs", channels...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	in, out := testio.Start(t, cmd)
	s := &script{t: t, in: in, lines: make(chan string, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(s.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			s.lines <- sc.Text()
		}
	}()
	t.Cleanup(func() {
		in.Close()
		<-done
		if err := cmd.Wait(); err != nil {
			t.Errorf("subscribe.mjs: %v", err)
		}
	})
	return s
}

// expect returns what follows the words that the next line must begin with.
func (s *script) expect(words string) string {
	s.t.Helper()
	select {
	case line, ok := <-s.lines:
		rest, is := strings.CutPrefix(line, words)
		if !ok || !is {
			s.t.Fatalf("pusher-js said %q, want %q", line, words)
		}
		return strings.TrimPrefix(rest, " ")
	case <-time.After(patience):
		s.t.Fatalf("pusher-js did not say %q within %v", words, patience)
		return ""
	}
}

func (s *script) tell(command string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, command+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

func TestPusherLibrariesWorkUnmodified(t *testing.T) {
	t.Parallel()
	root := npmRoot(t)
	r := start(t, push.Options{})
	sub := r.pusherJS(t, root, nil, "news", "private-desk", "presence-room")
	id := sub.expect("connected")
	sub.expect("subscribed news")
	sub.expect("subscribed private-desk")
	sub.expect("subscribed presence-room")

	for _, library := range []string{"pusher", "pusher-http-edge"} {
		publish := r.node(t, root, "publish.mjs", id)
		publish.Env = append(publish.Env, "PACKAGE="+library)
		if out, err := publish.CombinedOutput(); err != nil {
			t.Fatalf("publish.mjs with %s: %v\n%s", library, err, out)
		}
		sub.expect(`event news story {"title":"Füchse & \"Gänse\"","n":[1,null]}`)
		sub.expect(`event private-desk story {"title":"Füchse & \"Gänse\"","n":[1,null]}`)
		sub.expect(`event news first "plain text"`)
		sub.expect(`event news second {"n":2}`)
		sub.expect(`event news last ""`)
	}

	sub.tell("ping")
	sub.expect("pong")
	sub.tell("unsubscribe news")
	sub.tell("ping")
	sub.expect("pong")
	r.publish(`{"name":"unheard","channel":"news","data":""}`)
	r.publish(`{"name":"heard","channel":"private-desk","data":"x"}`)
	sub.expect(`event private-desk heard "x"`)

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.push.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	sub.expect("error 4200")
	sub.expect("error 4100") // it came back at once, as 4200 asks
}

func TestPusherJSGivesUpOnAnUnknownKey(t *testing.T) {
	root := npmRoot(t)
	r := start(t, push.Options{})
	sub := r.pusherJS(t, root, []string{"KEY=unknown"}, "cache-a")
	sub.expect("error 4001")
	sub.expect("disconnected")
}

func TestPusherJSLearnsOfACacheMiss(t *testing.T) {
	root := npmRoot(t)
	r := start(t, push.Options{})
	sub := r.pusherJS(t, root, nil, "cache-a")
	sub.expect("connected")
	sub.expect("subscribed cache-a")
	sub.expect("miss cache-a")
}
