//go:build linux

package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// TestPeersKeepTheContract runs the peers against the load, which compares every
// byte: small and large frames, several in flight. Those of npm take part where CI is
// set, as they are fetched for each run.
func TestPeersKeepTheContract(t *testing.T) {
	o, which := built(t)
	port := freePort(t)
	for i, s := range which {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			for j, w := range []work{
				{Name: "small", mode: "echo", counts: []int{20, 8, 5}},
				{Name: "large", mode: "echo", counts: []int{3, 2, 70000}},
				{Name: "cast", mode: "broadcast", Broadcast: true, counts: []int{50, 3, 300}},
				{Name: "churn", mode: "connect", counts: []int{4}},
				{Name: "offer", mode: "idle", Deflate: true, Idle: true, counts: []int{50}},
				{Name: "tls", mode: byTLS, TLS: true, Idle: true, counts: []int{50}},
			} {
				if !s.does(w) {
					continue
				}
				if got := runOnce(t.Context(), o, s, w, port+10*i+j); got.Error != "" || !w.Idle && (got.PerSecond <= 0 || got.CPU <= 0) {
					t.Errorf("%s: %+v", w.Name, got)
				}
			}
		})
	}
}

// TestLoadRefusesWrongBytes proves that the load would notice: one byte differs.
func TestLoadRefusesWrongBytes(t *testing.T) {
	o, _ := built(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for n := 0; ; n++ {
			op, msg, err := c.ReadMessage()
			if err != nil {
				return
			}
			if n == 100 {
				msg[len(msg)/2] ^= 1
			}
			if c.WriteMessage(op, msg) != nil {
				return
			}
		}
	})}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	defer func() {
		_ = s.Close()
		<-done
	}()
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	out, err := exec.CommandContext(t.Context(), filepath.Join(o.cache, "bin", "load"), "echo", "127.0.0.1", port, "2", "1", "1000", "0.1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "wrong bytes") {
		t.Errorf("load: %v: %s; want it to fail with wrong bytes", err, out)
	}
}

// built makes the load and the servers once more, in a folder of the test's.
func built(t *testing.T) (options, []server) {
	t.Helper()
	for _, tool := range []string{"gcc", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%v, and CI is set", err)
			}
			t.Skip(err)
		}
	}
	t.Chdir("..")
	var which []server
	for _, s := range servers() {
		if s.Kind == "c" || s.Kind == "go" || s.Kind == "node" && os.Getenv("CI") != "" {
			which = append(which, s)
		}
	}
	o := options{cache: t.TempDir(), seconds: 0.1, serverCPU: "0", loadCPU: "0"}
	if t.Name() == "TestLoadRefusesWrongBytes" {
		which = nil
	}
	b := builder{cache: o.cache}
	if err := b.all(t.Context(), which, nil); err != nil {
		t.Fatal(err)
	}
	return o, which
}

// freePort is the first of a hundred that nobody is likely to take meanwhile:
// below the range that the kernel gives to clients.
func freePort(t *testing.T) int {
	t.Helper()
	for port := 20000; port < 32000; port += 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatal("no free port from 20000 to 32000")
	return 0
}
