//go:build unix

package engine

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// testCert is httptest's certificate, and a client configuration that trusts it.
func testCert(t testing.TB) (server, client *tls.Config) {
	hs := httptest.NewTLSServer(nil)
	defer hs.Close()
	tr := hs.Client().Transport.(*http.Transport)
	return &tls.Config{Certificates: hs.TLS.Certificates}, tr.TLSClientConfig
}

func TestTLSEchoesAndDialerSpeaksToIt(t *testing.T) {
	t.Parallel()
	sc, cc := testCert(t)
	for _, z := range []*DeflateOptions{nil, {Threshold: -1}} {
		s, err := NewServer(ServerOptions{
			Addr: "127.0.0.1:0", TLS: sc, PerMessageDeflate: z,
			HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.TLS == nil {
					t.Error("no TLS state")
				}
				io.Copy(w, r.Body)
			}),
			Handler: Handler{Message: func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		hc := &http.Client{Transport: &http.Transport{TLSClientConfig: cc}}
		c, _, err := websocket.Dial(ctx, "wss://"+s.Addr().String(), &websocket.DialOptions{HTTPClient: hc, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadLimit(-1)
		for _, n := range []int{0, 1, 126, 70000, 1 << 20, 8 << 20} {
			if err := c.Write(ctx, websocket.MessageBinary, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			if _, p, err := c.Read(ctx); err != nil || len(p) != n {
				t.Fatal(n, len(p), err)
			}
		}
		got := make(chan int, 100)
		d := Dialer{Engine: s.Engine(), TLS: cc, Handler: Handler{Message: func(c *Conn, m Message) { got <- len(m.Data) }},
			Options: ConnOptions{PerMessageDeflate: z}}
		mine, err := d.Dial(ctx, "wss://"+s.Addr().String()+"/x")
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 5, 2000, 100000, 3 << 20} {
			if err := mine.Send(Text, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			select {
			case m := <-got:
				if m != n {
					t.Fatal(m, n)
				}
			case <-ctx.Done():
				t.Fatal("no echo of ", n)
			}
		}
		res, err := hc.Post("https://"+s.Addr().String()+"/", "text/plain", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		hc.CloseIdleConnections()
		if err := c.Close(4001, "bye"); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
