//go:build unix

package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/roost-ws/roost/poller"
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
		ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
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
		d := Dialer{Engine: s.Engine(), TLS: cc, Options: ConnOptions{PerMessageDeflate: z}, Handler: Handler{
			Open: func(_ *Conn, r *Request) {
				if from := r.RemoteAddr(); !r.Secure() || from == nil || from.String() != s.Addr().String() {
					t.Errorf("the client's request: secure %v, of %v", r.Secure(), from)
				}
			},
			Message: func(c *Conn, m Message) { got <- len(m.Data) },
		}}
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

// oneSegment sends what TLS writes when the peer's answer is waited for.
type oneSegment struct {
	duplex
	waits []byte
}

func (c *oneSegment) Write(p []byte) (int, error) {
	c.waits = append(c.waits, p...)
	return len(p), nil
}

// SetWriteDeadline does not let CloseWrite forbid what waits.
func (c *oneSegment) SetWriteDeadline(time.Time) error { return nil }

func (c *oneSegment) Read(p []byte) (int, error) {
	if _, err := c.duplex.Write(c.waits); err != nil {
		return 0, err
	}
	c.waits = nil
	return c.duplex.Read(p)
}

// interests is the system with a poller that knows what was last asked of it.
type interests struct {
	system
	last *sync.Map // of descriptors
}

func (k interests) Poller() (watcher, error) {
	w, err := k.system.Poller()
	return interestsWatcher{w, k.last}, err
}

type interestsWatcher struct {
	watcher
	last *sync.Map
}

func (w interestsWatcher) Update(fd int, from, to poller.Ready) error {
	w.last.Store(fd, to)
	return w.watcher.Update(fd, from, to)
}

// A handshake's last records go out before a request that came with its end leaves
// for net/http, and the descriptor is not watched again for their sake.
func TestPlainRequestInOneSegmentWithTheHandshakesEnd(t *testing.T) {
	t.Parallel()
	sc, cc := testCert(t)
	sc.ClientAuth = tls.RequireAnyClientCert // then the tickets come behind the client's end
	cc.Certificates, cc.ServerName, cc.ClientSessionCache = sc.Certificates, "example.com", tls.NewLRUClientSessionCache(1)
	k := interests{last: new(sync.Map)}
	s := serve(t, ServerOptions{Engine: engineOn(t, k), HTTP: web, TLS: sc})
	c := tls.Client(&oneSegment{duplex: connect(t, s).conn}, cc)
	p := &peer{t: t, conn: c, r: bufio.NewReader(c)}
	p.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	p.wantBody(200, "GET /  <nil> true")
	eventually(t, "the engine to let go", func() bool { return s.e.Stats().Conns == 0 })
	k.last.Delete(s.listeners[0].fd)
	k.last.Range(func(fd, to any) bool {
		if to != poller.Ready(0) {
			t.Errorf("descriptor %v is watched for %v, and net/http has it", fd, to)
		}
		return true
	})
}
