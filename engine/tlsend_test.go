//go:build unix

package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TLS's own end comes in one read with the last message, and no event follows it.
func TestTheEndOfTLSBehindAMessageIsSeen(t *testing.T) {
	t.Parallel()
	sc, cc := testCert(t)
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, TLS: sc, Handler: j.echo()})
		raw := connect(t, s)
		cc := cc.Clone()
		cc.ServerName = "example.com"
		c := tls.Client(&oneSegment{duplex: raw.conn}, cc)
		p := &peer{t: t, conn: c, r: bufio.NewReader(c)}
		p.write([]byte(upgradeHead))
		p.switched()
		p.write(frameOf(Text, "last"))
		p.fin() // close_notify, but no FIN
		p.want("text last")
		j.want(t, "open", "text last", "close 1006")
	})
}

// A hook of TLS that panics on what the peer sent costs it its connection, and no
// worker.
func TestR8PanicInATLSHook(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		hellos := new(atomic.Int64)
		s := serve(t, ServerOptions{Config: cfg, TLS: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			hellos.Add(1)
			panic("no certificate today")
		}}})
		p := connect(t, s)
		hello := clientHello(t)
		p.write(hello, hello)
		p.gone()
		eventually(t, "the connection to go", func() bool { return s.e.Stats().Conns == 0 })
		if n, m := hellos.Load(), s.e.Stats().Panics; n != 1 || m != 1 {
			t.Errorf("the hook was called %d times, %d panics", n, m)
		}
	})
}

// clientHello is the first record of a client of TLS.
func clientHello(t *testing.T) []byte {
	t.Helper()
	var first recorder
	_ = tls.Client(&first, &tls.Config{ServerName: "example.com"}).Handshake() // ends at its first read
	if len(first.written) == 0 {
		t.Fatal("no ClientHello")
	}
	return first.written
}

// recorder is a connection that ends when it is read.
type recorder struct {
	duplex
	written []byte
}

func (r *recorder) Read([]byte) (int, error) { return 0, io.EOF }

func (r *recorder) Write(p []byte) (int, error) {
	r.written = append(r.written, p...)
	return len(p), nil
}

// reading is the system, with a count of its reads.
type reading struct {
	system
	reads *atomic.Int64
}

func (k reading) Read(fd int, p []byte) (int, error) {
	k.reads.Add(1)
	return k.system.Read(fd, p)
}

// A hang-up that was meant for the number's last owner costs a handshake under TLS
// one read in vain.
func TestR4StaleHangupOfATLSHandshake(t *testing.T) {
	t.Parallel()
	sc, _ := testCert(t)
	k := reading{reads: new(atomic.Int64)}
	s := serve(t, ServerOptions{Engine: engineOn(t, k), TLS: sc})
	p := connect(t, s)
	p.write(clientHello(t)[:7])
	var c *Conn
	eventually(t, "the connection", func() bool {
		s.e.table.each(func(found *Conn) { c = found })
		return c != nil && k.reads.Load() > 0 && c.work.Load() == 0
	})
	before := k.reads.Load()
	c.kick(markHangup)
	eventually(t, "the read", func() bool { return k.reads.Load() > before })
	newJournal().none(t, 20*time.Millisecond)
	if n := k.reads.Load() - before; n > 1 {
		t.Errorf("%d reads for one hang-up", n)
	}
}

// A listening socket that somebody shut down tells of the end once.
func TestAListenerThatWasShutDown(t *testing.T) {
	t.Parallel()
	told := make(chan error, 1)
	s := serve(t, ServerOptions{OnError: func(err error) { told <- err }})
	if err := unix.Shutdown(s.listeners[0].fd, unix.SHUT_RD); err != nil {
		t.Skip("listeners are not shut down on this system:", err)
	}
	if err := receive(t, told, "OnError"); err == nil {
		t.Error("no error")
	}
	if n := s.e.Stats().Rejected; n != 0 {
		t.Errorf("%d connections rejected", n)
	}
}

// Done says nil of what the kernel has, and of nothing that was sealed and never left.
func TestDoneUnderTLSKnowsWhatDidNotLeave(t *testing.T) {
	t.Parallel()
	sc, cc := testCert(t)
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, TLS: sc, SendBuffer: 8 << 10, Handler: j.handler()})
		p := connect(t, s)
		p.takesAtOnce(8 << 10)
		p = p.tls(cc)
		p.write([]byte(upgradeHead))
		p.switched()
		j.want(t, "open")
		c := j.conn(t)
		results := make(chan error, 1<<10)
		sent, done, came := 0, 0, 0
		for ; c.BufferedAmount() < 64<<10; sent++ {
			if err := c.SendWith(Binary, make([]byte, 1000), SendOptions{Done: func(err error) { results <- err }}); err != nil {
				t.Fatal(err)
			}
		}
		c.Terminate()
		for range sent {
			if receive(t, results, "Done") == nil {
				done++
			}
		}
		for _, _, err := p.next(); err == nil; _, _, err = p.next() {
			came++
		}
		if done > came || done == sent {
			t.Errorf("Done said nil of %d messages of %d, and %d came", done, sent, came)
		}
	})
}

// A peer that goes on sending after a violation finds the close frame and a clean end,
// also behind a plain request.
func TestAViolationBehindAPlainRequestUnderTLSEndsCleanly(t *testing.T) {
	t.Parallel()
	sc, cc := testCert(t)
	s := serve(t, ServerOptions{HTTP: web, TLS: sc, MaxPayload: 1 << 10, Handler: echoes()})
	p := connectTLS(t, s, cc)
	p.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	p.wantBody(200, "GET /  <nil> true")
	p.write([]byte(upgradeHead))
	p.switched()
	for range 64 {
		p.write(frameOf(Binary, string(make([]byte, 16<<10))))
	}
	p.want("close 1009")
	p.end()
}

// panicsAtTickets is a cache of TLS sessions that the server's first ticket breaks.
type panicsAtTickets struct{}

func (panicsAtTickets) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (panicsAtTickets) Put(string, *tls.ClientSessionState)        { panic("no session today") }

func TestDialEndsWhenAHookOfTLSPanics(t *testing.T) {
	t.Parallel()
	sc, cc := testCert(t)
	cc.ClientSessionCache = panicsAtTickets{}
	s := serve(t, ServerOptions{TLS: sc, Handler: echoes()})
	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	done := make(chan error, 1)
	go func() {
		_, err := (&Dialer{Engine: e, TLS: cc}).Dial(context.Background(), "wss://"+s.Addr().String())
		done <- err
	}()
	if err := receive(t, done, "the end of Dial"); !errors.Is(err, ErrHandshakeEnded) {
		t.Error(err)
	}
}

// limited is a connection that notes until when it may be written to.
type limited struct {
	net.Conn
	until chan time.Time
}

func (l *limited) SetWriteDeadline(at time.Time) error {
	l.until <- at
	return l.Conn.SetWriteDeadline(at)
}

// What a bridge still has for a peer that does not read keeps it no longer than a
// closing handshake may take.
func TestABridgeIsNotKeptByAPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := start(t, ServerOptions{Handler: j.handler()})
	near, far := net.Pipe()
	defer far.Close()
	l := &limited{near, make(chan time.Time, 1)}
	if err := s.HandleUpgradeConn(l, nil, []byte(upgradeHead)); err != nil {
		t.Fatal(err)
	}
	j.want(t, "open")
	j.conn(t).Terminate()
	if at := receive(t, l.until, "the deadline"); time.Until(at) > defaultClosing {
		t.Errorf("it may take until %v", at)
	}
}
