//go:build unix

package loadtest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
)

// serveTLS is a server with a certificate of its own, which trust trusts.
func serveTLS(t *testing.T, handle http.HandlerFunc) (url string, trust *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(handle)
	s.Config.ErrorLog = quietLog()
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return "wss" + strings.TrimPrefix(s.URL, "https") + "/", &tls.Config{RootCAs: pool}
}

func TestEchoOverTLSOfEveryShape(t *testing.T) {
	url, trust := serveTLS(t, echoGorilla)
	for _, e := range []Echo{
		{Size: 64},
		{Size: 64, InFlight: 64},
		{Size: 70 << 10, InFlight: 4},
		{Size: 1 << 20, InFlight: 8}, // more than the socket buffers: records block
		{Size: 125, Text: true, Rate: 2000},
	} {
		e.Options = Options{URL: url, Conns: 2, Loops: 2, TLS: trust}
		e.Duration = measured
		r := runEcho(t, e)
		noFailures(t, r)
		if r.Echo.Messages == 0 || r.Echo.Unanswered != 0 || r.Connections.Opened != 2 {
			t.Errorf("%d B, %d in flight: %+v", e.Size, e.InFlight, r.Echo)
		}
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	url, trust := serveTLS(t, echoGorilla)
	other := trust.Clone()
	other.ServerName = "elsewhere.example"
	for _, c := range []struct {
		name  string
		tls   *tls.Config
		cause string
	}{
		{"trusted", trust, ""},
		{"unknown", nil, "tls"},
		{"of another name", other, "tls"},
		{"insecure", &tls.Config{InsecureSkipVerify: true}, ""},
	} {
		r := runIdle(t, Idle{Options: Options{URL: url, Conns: 3, TLS: c.tls}})
		switch {
		case c.cause == "" && r.Connections.Opened != 3:
			t.Errorf("certificate %s: %d opened, failures %+v", c.name, r.Connections.Opened, r.Failures)
		case c.cause != "" && (len(r.Failures) != 1 || r.Failures[0].Cause != c.cause || r.Failures[0].Count != 3):
			t.Errorf("certificate %s: failures %+v, want 3 of %s", c.name, r.Failures, c.cause)
		}
	}
}

// slowPipe hands a TLS stream on byte by byte, in both directions, so that each
// record comes in parts.
func slowPipe(t *testing.T, to string) (addr string) {
	url := rawServer(t, func(c *net.TCPConn) {
		up, err := net.Dial("tcp", to)
		if err != nil {
			_ = c.Close()
			return
		}
		go func() {
			defer up.Close()
			_, _ = up.(*net.TCPConn).ReadFrom(onlyReader{c})
		}()
		go func() {
			defer c.Close()
			buf := make([]byte, 4096)
			for {
				n, err := up.Read(buf)
				if _, werr := (trickle{c}).Write(buf[:n]); err != nil || werr != nil {
					return
				}
			}
		}()
	})
	return strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/")
}

type onlyReader struct{ net.Conn }

func TestRecordsInPartsAreWhole(t *testing.T) {
	url, trust := serveTLS(t, echoGorilla)
	addr := slowPipe(t, strings.TrimSuffix(strings.TrimPrefix(url, "wss://"), "/"))
	r := runEcho(t, Echo{Options: Options{URL: "wss://" + addr + "/", Conns: 4, TLS: trust}, InFlight: 3, Duration: measured})
	noFailures(t, r)
	if r.Echo.Messages < 4 || r.Echo.Unanswered != 0 {
		t.Errorf("%+v, want some messages and all of them back", r.Echo)
	}
}

func TestHandshakesThatStallOrBreakLeaveNothing(t *testing.T) {
	for _, c := range []struct {
		cause  string
		handle func(*net.TCPConn)
	}{
		{"handshake-timeout", func(c *net.TCPConn) { t.Cleanup(func() { _ = c.Close() }) }},
		{"closed", func(c *net.TCPConn) {
			_, _ = c.Read(make([]byte, 4096))
			_ = c.Close()
		}},
		{"tls", func(c *net.TCPConn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = c.Close()
		}},
	} {
		url := "wss" + strings.TrimPrefix(rawServer(t, c.handle), "ws")
		r := runIdle(t, Idle{Options: Options{URL: url, Conns: 5, Timeout: measured}})
		if len(r.Failures) != 1 || r.Failures[0].Cause != c.cause || r.Failures[0].Count != 5 {
			t.Errorf("failures %+v, want 5 of %s", r.Failures, c.cause)
		}
	}
}

// compressing is an echo server with permessage-deflate.
func compressing(mode coder.CompressionMode) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1})
		if err != nil {
			return
		}
		c.SetReadLimit(4 << 20)
		for {
			kind, p, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, p) != nil {
				_ = c.CloseNow()
				return
			}
		}
	}
}

// A server that sends as fast as it is read must not keep a run from its end.
func TestFloodOverTLSDoesNotHoldTheRunUp(t *testing.T) {
	url, trust := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			return
		}
		ctx := c.CloseRead(r.Context()) // hears our close frame
		for p := make([]byte, 64<<10); c.Write(ctx, coder.MessageBinary, p) == nil; {
		}
	})
	i := Idle{Options: Options{URL: url, Conns: 2, TLS: trust}, Hold: measured}
	if r := runIdle(t, i); r.Idle.Held > 10*measured {
		t.Errorf("held for %v, want %v", r.Idle.Held, measured)
	}
}

func TestLostAndBrokenTLSIsTold(t *testing.T) {
	t.Parallel()
	url, trust := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			return
		}
		_, p, _ := c.Read(r.Context())
		_ = c.Write(r.Context(), coder.MessageBinary, p)
		_ = c.Close(coder.StatusGoingAway, "maintenance")
	})
	r := runEcho(t, Echo{Options: Options{URL: url, Conns: 3, TLS: trust}, Duration: time.Second})
	if len(r.Failures) != 1 || r.Failures[0].Cause != "closed-by-server-1001" || r.Failures[0].Count != 3 {
		t.Errorf("failures %+v, want 3 closed by the server with 1001", r.Failures)
	}
}

func TestTextDeflatesAndBinaryDoesNot(t *testing.T) {
	for _, text := range []bool{false, true} {
		s, err := newStamp(1024, text)
		must(t, err)
		p := s.payload(nil, 1, 2, 3)
		z := testFlate().Compress(nil, p, 15, nil, true)
		if ratio := float64(len(p)) / float64(len(z)); text != (ratio > 1.5) {
			t.Errorf("text %v: deflated to 1/%.2f", text, ratio)
		}
		if !bytes.Equal(p, s.payload(nil, 1, 2, 3)) {
			t.Errorf("text %v: the same message has other bytes", text)
		}
	}
}
