//go:build unix

package loadtest

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// childVar makes the test binary another program: a server in a process of its
// own, or a harness with another limit of descriptors.
const childVar = "LOADTEST_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "echo":
		serveChild()
	case "few-descriptors":
		fewDescriptors(os.Args[len(os.Args)-1])
	default:
		// Parallel are the tests that mostly wait, for servers that answer late, so that more of them
		// than there are processors may run; those that keep processors busy run one by
		// one before. A -parallel on the command line comes after this.
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err)
		}
		goleak.VerifyTestMain(m)
	}
}

// serveChild echoes until its stdin ends.
func serveChild() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() { panic(http.Serve(l, http.HandlerFunc(echoGorilla))) }()
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// fewDescriptors opens 100 connections with 60 descriptors and prints the report.
func fewDescriptors(url string) {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 60, Max: 60}); err != nil {
		panic(err)
	}
	r, err := Idle{Options: Options{URL: url, Conns: 100}, Hold: time.Millisecond}.Run(context.Background())
	if err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		panic(err)
	}
}

// child starts this binary as something else.
func child(t *testing.T, as string, args ...string) (stdout *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVar+"="+as)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	return bufio.NewReader(out)
}

// echoProcess is an echo server in a process of its own.
func echoProcess(t *testing.T) (url string) {
	t.Helper()
	addr, err := child(t, "echo").ReadString('\n')
	must(t, err)
	return "ws://" + strings.TrimSpace(addr) + "/"
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve runs a handler for upgraded connections, in this process.
func serve(t *testing.T, handle func(*websocket.Conn)) (url string) {
	t.Helper()
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, Subprotocols: []string{"known"}}
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		handle(c)
	})
}

func serveHTTP(t *testing.T, handle http.HandlerFunc) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &http.Server{Handler: handle}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return "ws://" + l.Addr().String() + "/"
}

func echoGorilla(w http.ResponseWriter, r *http.Request) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	c, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	echoAll(c)
}

func echoAll(c *websocket.Conn) {
	for {
		kind, p, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, p) != nil {
			return
		}
	}
}

// rawServer hands each accepted connection to a handler, which may break every rule.
func rawServer(t *testing.T, handle func(*net.TCPConn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handle(c.(*net.TCPConn))
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "ws://" + l.Addr().String() + "/"
}

// soon bounds every run of a test.
const soon = time.Minute

func runIdle(t *testing.T, i Idle) *Report {
	t.Helper()
	if i.Hold == 0 {
		i.Hold = -1
	}
	return run(t, i)
}

func runEcho(t *testing.T, e Echo) *Report {
	t.Helper()
	return run(t, e)
}

// run runs a scenario to its end.
func run(t *testing.T, s interface {
	Run(context.Context) (*Report, error)
}) *Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	r, err := s.Run(ctx)
	must(t, err)
	if r.Interrupted {
		t.Fatalf("the run did not end within %v", soon)
	}
	return r
}

// calmly is for figures that other work on the machine would change: it measures again while
// the harness tells that it was held up itself.
func calmly(t *testing.T, measure func() *Report) (r *Report) {
	t.Helper()
	for range 4 {
		if r = measure(); r.Harness.Lag.P99 < 50*time.Millisecond {
			return r
		}
		t.Logf("loops woke %v late at p99: once more", r.Harness.Lag.P99)
	}
	return r
}

func noFailures(t *testing.T, r *Report) {
	t.Helper()
	if len(r.Failures) > 0 {
		t.Errorf("failures %+v, want none", r.Failures)
	}
}

// trickle writes each byte on its own.
type trickle struct{ net.Conn }

func (t trickle) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := t.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func readFull(c net.Conn, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = c.Read(p[n:])
		n += k
	}
	return n, err
}
