//go:build unix

package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if f := children[os.Getenv("ENGINE_TEST_CHILD")]; f != nil {
		os.Exit(f())
	}
	// Most tests wait for clocks: more of them than there are processors may run. A
	// -parallel on the command line comes after this.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // importing ants began a pool of its own
}

// children are what this binary does when a test runs it as a process of its own.
var children = map[string]func() int{"starved": starvedChild}

// patience bounds every wait: long enough for a busy machine under the race
// detector, and only ever spent by a test that fails.
const patience = 20 * time.Second

// modes runs f for each way to run handlers, on one loop and on two, all at once.
func modes(t *testing.T, f func(t *testing.T, cfg Config)) {
	inTurn(t, func(t *testing.T, cfg Config) {
		t.Parallel()
		f(t, cfg)
	})
}

// inTurn is modes for tests that count what is the whole process's.
func inTurn(t *testing.T, f func(t *testing.T, cfg Config)) {
	for _, d := range []Dispatch{DispatchPool, DispatchLoop} {
		for _, loops := range []int{1, 2} {
			name := fmt.Sprintf("%s%d", [...]string{"pool", "loop"}[d], loops)
			t.Run(name, func(t *testing.T) { f(t, Config{Dispatch: d, Loops: loops}) })
		}
	}
}

// dispatches is modes for what the number of loops has no part in.
func dispatches(t *testing.T, f func(t *testing.T, cfg Config)) {
	for name, d := range map[string]Dispatch{"pool": DispatchPool, "loop": DispatchLoop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, Config{Dispatch: d, Loops: 1})
		})
	}
}

// serve starts a server on a free port. When the test ends, so does the server,
// and then every slice it lent must be back.
func serve(t testing.TB, o ServerOptions) *Server {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	return start(t, o)
}

// start is serve without an address of its own.
func start(t testing.TB, o ServerOptions) *Server {
	t.Helper()
	if os.Getenv("ENGINE_TEST_LOG") != "" {
		o.Config.Logger = slog.Default()
	}
	o.NoServer = o.NoServer || o.listenAddr() == "" && o.Server == nil
	s, err := NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

// stop ends s by force and looks for what it left.
func stop(t testing.TB, s *Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	if n := s.Engine().Stats().Conns; n != 0 && s.owned {
		t.Errorf("%d connections are left after shutdown", n)
	}
	if !s.owned || t.Failed() {
		return
	}
	s.e.table.each(func(c *Conn) { t.Errorf("a %v connection is still in the table", c.ReadyState()) })
	for _, l := range s.e.loops {
		if n := l.lent(); n != 0 {
			t.Errorf("%d slices are still lent after shutdown", n)
		}
	}
}

// lent is what is out of the loop's bytes, but for the worker's own cork.
func (l *loop) lent() int {
	n := l.bytes.Outstanding()
	if l.scratch != nil {
		n -= len(l.scratch.out.chunks)
	} else if n > 0 {
		n = max(0, n-keptScratches)
	}
	return n
}

// keptScratches is how many scratches, with a slice each, a run queue keeps for workers to come.
const keptScratches = 16

// receive waits for a value.
func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
	}
	panic("unreachable")
}

// eventually waits until ok holds, for what no channel tells of.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}
