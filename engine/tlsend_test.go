//go:build unix

package engine

import (
	"bufio"
	"crypto/tls"
	"io"
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
