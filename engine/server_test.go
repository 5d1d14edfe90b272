//go:build unix

package engine

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// soon is a context that ends before a test gives up.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestServerCloseFreesThePortAndSparesConnections(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.echo()})
		p, _ := j.opened(t, s)
		half := connect(t, s)
		half.write([]byte(upgradeHead[:40]))
		eventually(t, "the half-open one", func() bool { return s.e.Stats().Conns == 2 })
		addr := s.Addr().String()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		half.gone()
		if s.Addr() != nil {
			t.Errorf("Addr %v after Close", s.Addr())
		}
		again, err := NewServer(ServerOptions{Addr: addr})
		if err != nil {
			t.Fatalf("the port is not free: %v", err)
		}
		stop(t, again)
		if err := s.Close(); err != nil {
			t.Errorf("Close while a connection lives: %v", err)
		}
		p.text("alive")
		p.want("text alive")
		if n := len(s.Clients()); n != 1 {
			t.Errorf("%d clients", n)
		}
		done := make(chan error, 1)
		if err := s.CloseThen(func(err error) { done <- err }); err != nil {
			t.Error(err)
		}
		p.write(closeOf(1000, ""))
		p.want("close 1000")
		p.fin()
		j.want(t, "text alive", "close 1000")
		if err := receive(t, done, "the last connection's end"); err != nil {
			t.Error(err)
		}
		if err := s.Close(); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Close of a closed server: %v", err)
		}
	})
}

func TestShutdownSays1001AndWaits(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		if err := c.SendText("before"); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- s.Shutdown(soon(t)) }()
		p.want("text before", "close 1001")
		if _, err := net.DialTimeout("tcp", p.conn.RemoteAddr().String(), time.Second); err == nil {
			t.Error("the port still accepts")
		}
		select {
		case err := <-done:
			t.Fatalf("Shutdown did not wait: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		p.write(closeOf(1001, ""))
		p.end()
		p.fin()
		j.want(t, "close 1001")
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(soon(t)); err != nil && !errors.Is(err, ErrNotRunning) {
			t.Fatalf("a second Shutdown: %v", err)
		}
	})
}

func TestShutdownTerminatesAtTheEndOfItsContext(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		paused, pc := j.opened(t, s)
		pc.Pause()
		_ = c
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		err := s.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 connections") {
			t.Fatal(err)
		}
		p.want("close 1001")
		p.gone()
		paused.gone()
		j.want(t, "close 1006", "close 1006")
	})
}

func TestEngineIsShared(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		a, b := newJournal(), newJournal()
		sa, sb := serve(t, ServerOptions{Engine: e, Handler: a.echo()}), serve(t, ServerOptions{Engine: e, Handler: b.echo()})
		pa, _ := a.opened(t, sa)
		pb, cb := b.opened(t, sb)
		if cb.Engine() != e || cb.Server() != sb || len(sa.Clients()) != 1 {
			t.Fatal("whose connection is it?")
		}
		pa.write(closeOf(1000, ""))
		pa.fin()
		if err := sa.Shutdown(soon(t)); err != nil { // one server's end is not the engine's
			t.Fatal(err)
		}
		pb.text("on")
		pb.want("text on")
		done := make(chan error)
		go func() { done <- e.Shutdown(soon(t)) }()
		pb.want("close 1001")
		pb.write(closeOf(1001, ""))
		pb.end()
		pb.fin()
		if err := receive(t, done, "Engine.Shutdown"); err != nil {
			t.Fatal(err)
		}
		b.want(t, "text on", "close 1001")
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// Engine.Close while traffic goes on: every handler gets its Close, and a server
// on it can be closed afterwards.
func TestEngineCloseDuringTraffic(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }
		s := serve(t, ServerOptions{Engine: e, Handler: h})
		const n = 8
		for range n {
			p, _ := j.opened(t, s)
			go func() {
				for f := frameOf(Text, "x"); ; {
					if _, err := p.conn.Write(f); err != nil {
						return
					}
					if _, _, err := p.next(); err != nil {
						return
					}
				}
			}()
		}
		eventually(t, "traffic", func() bool { return e.Stats().MessagesIn > 100 })
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		for range n {
			j.want(t, "close 1006")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := NewServer(ServerOptions{Engine: e, Addr: "127.0.0.1:0"}); !errors.Is(err, ErrClosed) {
			t.Errorf("a server on a closed engine: %v", err)
		}
	})
}

// Connections that arrive while the server closes are either served or ended, and
// none is forgotten.
func TestCloseWhileConnectionsArrive(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		for range 5 {
			s := serve(t, ServerOptions{Config: cfg})
			addr := s.Addr().String()
			quit := make(chan bool)
			gone := make(chan bool)
			go func() {
				defer close(gone)
				for {
					select {
					case <-quit:
						return
					default:
					}
					if c, err := net.Dial("tcp", addr); err == nil {
						_, _ = c.Write([]byte(upgradeHead))
						defer c.Close()
					} else {
						return
					}
				}
			}()
			eventually(t, "some to arrive", func() bool { return s.e.Stats().Opened > 20 })
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			_ = s.Shutdown(ctx)
			cancel()
			close(quit)
			<-gone
			if st := s.e.Stats(); st.Conns != 0 || st.Accepted != st.Closed+st.Rejected && st.Accepted != st.Closed {
				t.Errorf("%+v", st)
			}
		}
	})
}

// An address of one link has meaning with its zone only (RFC 4007 section 6).
func TestListensOnAnAddressOfALink(t *testing.T) {
	t.Parallel()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		addrs, err := link.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() == nil && n.IP.IsLinkLocalUnicast() {
				addr := net.TCPAddr{IP: n.IP, Zone: link.Name}
				s := serve(t, ServerOptions{Addr: addr.String(), Handler: echoes()})
				addr.Port = s.Addr().(*net.TCPAddr).Port
				p := connectTo(t, addr.String())
				p.write([]byte(upgradeHead))
				p.switched()
				return
			}
		}
	}
	t.Skip("no interface has an address of its link")
}
