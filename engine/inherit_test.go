//go:build unix

package engine

import (
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-ws/roost/internal/sock"
	"github.com/roost-ws/roost/poller"
)

func echoOptions(cfg Config) ServerOptions {
	return ServerOptions{Config: cfg, Handler: Handler{Message: func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }}}
}

// passOn hands the listening sockets of s on to another server.
func passOn(t *testing.T, s *Server, o ServerOptions) *Server {
	t.Helper()
	fds, err := s.Listeners()
	if err != nil {
		t.Fatal(err)
	}
	o.Addr, o.Inherit = "127.0.0.1:1", fds // which is not opened
	next := start(t, o)
	if next.Addr().String() != s.Addr().String() {
		t.Fatalf("listens on %v, want %v", next.Addr(), s.Addr())
	}
	return next
}

func (p *peer) echoes(text string) {
	p.t.Helper()
	p.write(frameOf(Text, text))
	p.want("text " + text)
}

func TestConnectionsThatWaitAreServedByWhoInheritsTheSocket(t *testing.T) {
	t.Parallel()
	for _, reuse := range []bool{false, true} {
		modes(t, func(t *testing.T, cfg Config) {
			o := echoOptions(cfg)
			o.ReusePort = reuse
			first := serve(t, o)
			old := join(t, first)
			fds, err := first.Listeners()
			if err != nil {
				t.Fatal(err)
			}
			addr := first.Addr().String()
			first.StopAccepting()
			if _, err := first.Listeners(); !errors.Is(err, ErrClosed) {
				t.Errorf("Listeners of a server that accepts no more: %v", err)
			}
			var waiting []*peer
			for range 20 {
				p := connectTo(t, addr)
				p.write([]byte(upgradeHead))
				waiting = append(waiting, p)
			}
			next := echoOptions(cfg)
			next.Addr, next.Inherit = "127.0.0.1:1", fds
			start(t, next)
			for _, p := range waiting {
				p.switched()
				p.echoes("waited")
			}
			old.echoes("still here")
			if n := first.Engine().Stats().Accepted; n != 1 {
				t.Errorf("the first server accepted %d connections after it stopped", n-1)
			}
		})
	}
}

func TestHandshakesUnderWayOutliveStopAccepting(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		s := serve(t, echoOptions(cfg))
		p := connect(t, s)
		p.write([]byte(upgradeHead[:20]))
		eventually(t, "the connection", func() bool { return s.Engine().Stats().Conns == 1 })
		passOn(t, s, echoOptions(cfg))
		s.StopAccepting()
		p.write([]byte(upgradeHead[20:]))
		p.switched()
		p.echoes("upgraded")
	})
}

// noting is the system with a poller that counts the events of one descriptor.
type noting struct {
	system
	fd, events *atomic.Int64
}

func (k noting) Poller() (watcher, error) {
	w, err := k.system.Poller()
	return notingWatcher{w, k}, err
}

type notingWatcher struct {
	watcher
	k noting
}

func (w notingWatcher) Wait(events []poller.Event, until time.Time) (int, error) {
	n, err := w.watcher.Wait(events, until)
	for _, ev := range events[:n] {
		if int64(ev.FD) == w.k.fd.Load() {
			w.k.events.Add(1)
		}
	}
	return n, err
}

// engineOn is an engine of one loop over k.
func engineOn(t *testing.T, k kernel) *Engine {
	t.Helper()
	c := Config{Loops: 1}
	if err := c.fill(); err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(c, k)
	if err != nil {
		t.Fatal(err)
	}
	e.running.Go(e.loops[0].run)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// A descriptor that is closed while its socket lives on elsewhere stays in epoll,
// unless it was taken out before.
func TestAListenerThatWasPassedOnWakesNobody(t *testing.T) {
	t.Parallel()
	k := noting{fd: new(atomic.Int64), events: new(atomic.Int64)}
	o := echoOptions(Config{})
	o.Engine = engineOn(t, k)
	s := serve(t, o)
	k.fd.Store(int64(s.listeners[0].fd))
	join(t, s).echoes("x")
	if k.events.Load() == 0 {
		t.Fatal("no event of the listener was seen at all")
	}
	next := passOn(t, s, echoOptions(Config{Loops: 1}))
	s.StopAccepting()
	before := k.events.Load()
	for range 20 {
		join(t, next).echoes("x")
	}
	if n := k.events.Load() - before; n > 0 {
		t.Errorf("%d events of a listener that was given up", n)
	}
}

func TestCloseMayBeCalledByAHandlerOnTheLoopThatAccepts(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		closed := make(chan error, 1)
		s := serve(t, ServerOptions{Config: cfg, Handler: Handler{Message: func(c *Conn, _ Message) { closed <- c.Server().Close() }}})
		join(t, s).write(frameOf(Text, "close"))
		if err := receive(t, closed, "Close"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWhatIsNoListenerIsNotInherited(t *testing.T) {
	t.Parallel()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	a, b, err := sock.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = sock.Close(a), sock.Close(b) }()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	udpFile, err := udp.File()
	if err != nil {
		t.Fatal(err)
	}
	defer udpFile.Close()
	for _, tt := range []struct {
		fd   int
		says string
	}{
		{int(file.Fd()), "not a socket"}, {a, "not a listening socket"}, {int(udpFile.Fd()), "not a stream socket"}, {maxFDs, "want one below"},
	} {
		_, err := NewServer(ServerOptions{Addr: "127.0.0.1:0", Inherit: []int{tt.fd}})
		if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "Inherit[0]") {
			t.Errorf("descriptor %d: %v, want %q", tt.fd, err, tt.says)
		}
	}
}
