package interop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roost-ws/roost/engine"
)

// patience bounds every wait. Only a test that fails ever spends it.
const patience = 30 * time.Second

// Importing ants began a pool of its own.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// wssConfigs are a server's certificate and what a client needs to trust it. It is
// good for 127.0.0.1 and example.com.
func wssConfigs() (server, client *tls.Config) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, &tls.Config{RootCAs: roots}
}

// target is an echo server and what a client needs to reach it.
type target struct {
	url string
	tls *tls.Config // a client's; nil for ws
}

// bothSchemes runs f against a server for ws and one for wss. start gets a server's
// TLS configuration, or nil, and returns where it listens.
func bothSchemes(t *testing.T, start func(t *testing.T, c *tls.Config) string, f func(t *testing.T, to target)) {
	serverTLS, clientTLS := wssConfigs()
	t.Run("ws", func(t *testing.T) {
		f(t, target{"ws://" + start(t, nil) + "/", nil})
	})
	t.Run("wss", func(t *testing.T) {
		f(t, target{"wss://" + start(t, serverTLS) + "/", clientTLS})
	})
}

// roost starts an echo server on the engine.
func roost(deflate *engine.DeflateOptions, page http.Handler) func(*testing.T, *tls.Config) string {
	return func(t *testing.T, c *tls.Config) string {
		t.Helper()
		s, err := engine.NewServer(engine.ServerOptions{
			Addr: "127.0.0.1:0", TLS: c, PerMessageDeflate: deflate, HTTP: page, MaxOutbox: 64 << 20,
			Handler: engine.Handler{Message: func(c *engine.Conn, m engine.Message) { _ = c.Send(m.Opcode(), m.Data) }},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.Error(err)
			}
		})
		return s.Addr().String()
	}
}

// compressing is permessage-deflate for every message, however short.
func compressing() *engine.DeflateOptions { return &engine.DeflateOptions{Threshold: -1} }
