//go:build unix

package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// echoes is the handler that most servers here have.
func echoes() Handler {
	return Handler{Message: func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }}
}

// connectProxy is an HTTP proxy that tunnels, and counts.
func connectProxy(t *testing.T, user string) (*url.URL, chan string) {
	asked := make(chan string, 8)
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		if name, _, ok := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth(); user != "" && (!ok || name != user) {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = near.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
		go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
		_, _ = io.Copy(near, far)
		_ = near.Close()
	}))
	t.Cleanup(p.Close)
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, asked
}

func TestDialerGoesThroughAProxy(t *testing.T) {
	t.Parallel()
	sc, cc := testCert(t)
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			o := ServerOptions{Handler: echoes()}
			if scheme == "wss" {
				o.TLS = sc
			}
			s := serve(t, o)
			proxy, asked := connectProxy(t, "roost")
			proxy.User = url.UserPassword("roost", "secret")
			got := make(chan string, 1)
			d := Dialer{
				Engine: s.Engine(), TLS: cc, Proxy: http.ProxyURL(proxy),
				Handler: Handler{Message: func(_ *Conn, m Message) { got <- string(m.Data) }},
			}
			c, err := d.Dial(within(t), scheme+"://"+s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.SendText("hello"); err != nil {
				t.Fatal(err)
			}
			if m := receive(t, got, "the echo"); m != "hello" {
				t.Errorf("echo %q", m)
			}
			if a := receive(t, asked, "the proxy"); a != "CONNECT "+s.Addr().String() {
				t.Errorf("proxy was asked %q", a)
			}
			proxy.User = nil
			if _, err := d.Dial(within(t), scheme+"://"+s.Addr().String()); err == nil || !strings.Contains(err.Error(), "407") {
				t.Errorf("without the user: %v", err)
			}
		})
	}
}

// within is a context that ends when patience does.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestDialerSaysWhyNot(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerOptions{Path: "/ws", Handler: echoes()})
	d := Dialer{Engine: s.Engine()}
	at := "://" + s.Addr().String()
	for _, bad := range []string{"http" + at, "ws:///ws", "ws" + at + "/ws#part"} {
		if _, err := d.Dial(within(t), bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	var refused *codec.DialError
	if _, err := d.Dial(within(t), "ws"+at+"/other"); !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
		t.Errorf("refused path: %v", err)
	}
	if _, err := d.Dial(within(t), "wss"+at+"/ws"); err == nil {
		t.Error("TLS to a server without it went well")
	}
	if _, err := (&Dialer{}).Dial(within(t), "ws"+at+"/ws"); err == nil {
		t.Error("a Dialer without an Engine went well")
	}
}

// A server that accepts and says nothing: the context ends the wait.
// Whatever is wrong with an answer, the error is one type's.
func TestAnswersThatAreNoGoodAreDialErrors(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	for answer, want := range map[string]string{
		ok + "X: " + strings.Repeat("x", 9000):     "Response with a header block larger than 8192 bytes",
		"HTTP/1.1 101 OK\n\n":                      "Malformed response: Malformed line end in the header block",
		"no HTTP\r\n\r\n":                          "Malformed status line",
		ok + "Sec-WebSocket-Extensions:\r\n":       "Invalid Sec-WebSocket-Extensions header",
		ok + "Sec-WebSocket-Extensions: other\r\n": "Server indicated an extension that was not requested",
	} {
		hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if strings.HasPrefix(answer, ok) {
				accept := codec.AcceptKey(nil, []byte(r.Header.Get("Sec-WebSocket-Key")))
				answer += "Sec-WebSocket-Accept: " + string(accept) + "\r\n\r\n"
			}
			if _, err := io.WriteString(conn, answer); err != nil {
				t.Error(err)
			}
			_, _ = io.Copy(io.Discard, conn) // until the client has seen it
		}))
		d := Dialer{Engine: e, Options: ConnOptions{PerMessageDeflate: &DeflateOptions{}}}
		_, err := d.Dial(within(t), "ws"+strings.TrimPrefix(hs.URL, "http"))
		if bad := (*codec.DialError)(nil); !errors.As(err, &bad) || bad.Msg != want {
			t.Errorf("%.60q: %v, want a DialError %q", answer, err, want)
		}
		hs.Close()
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := serve(t, ServerOptions{Handler: echoes()})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	d := Dialer{Engine: s.Engine()}
	if _, err := d.Dial(ctx, "ws://"+silent.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("dial of a silent server: %v", err)
	}
	eventually(t, "the connection to go", func() bool { return s.Engine().Stats().Conns == 0 })
}

// A paused TLS connection reads no ciphertext either: what a peer then sends
// stays in the kernel, and is delivered when reading goes on.
func TestR6PauseUnderTLSHoldsNoMemory(t *testing.T) {
	t.Parallel()
	sc, cc := testCert(t)
	opened, sizes := make(chan *Conn, 1), make(chan int, 64)
	s := serve(t, ServerOptions{TLS: sc, Config: Config{Loops: 1}, Handler: Handler{
		Open:    func(c *Conn, _ *Request) { c.Pause(); opened <- c },
		Message: func(_ *Conn, m Message) { sizes <- len(m.Data) },
	}})
	raw, err := tls.Dial("tcp", s.Addr().String(), cc)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := io.WriteString(raw, upgradeHead); err != nil {
		t.Fatal(err)
	}
	c := receive(t, opened, "open")
	const size, messages = 256 << 10, 64
	sent := make(chan error, 1)
	go func() {
		frame := frameOf(Binary, strings.Repeat("x", size))
		for range messages {
			if _, err := raw.Write(frame); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	// The kernel's buffers fill up and the peer stands still: it has not sent all.
	var before uint64
	eventually(t, "the peer to stand still", func() bool {
		now := c.loop.stats.bytesIn.Load()
		same := now == before
		before = now
		return same && len(sent) == 0
	})
	if n := s.Engine().Stats().BytesIn; n > 2*defaultReadBuffer {
		t.Errorf("%d bytes were read of a paused connection", n)
	}
	c.Resume()
	for i := range messages {
		if n := receive(t, sizes, "a message"); n != size {
			t.Fatalf("message %d has %d bytes", i, n)
		}
	}
	if err := receive(t, sent, "the end of sending"); err != nil {
		t.Error(err)
	}
}

// Whatever ends the handshake ends Dial, also without a deadline of its context.
func TestDialEndsWithItsHandshake(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Engine){
		"timeout": func(*Engine) {},
		"close":   func(e *Engine) { _ = e.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trickles, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer trickles.Close()
			e, err := New(Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			done := make(chan error, 1)
			go func() {
				d := Dialer{Engine: e, Options: ConnOptions{HandshakeTimeout: span200}}
				_, err := d.Dial(context.Background(), "ws://"+trickles.Addr().String())
				done <- err
			}()
			server, err := trickles.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if _, err := server.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			end(e)
			for range int(patience / time.Millisecond) {
				if _, err := io.WriteString(server, "H"); err != nil || len(done) > 0 {
					break // and the rest is never read
				}
				time.Sleep(time.Millisecond)
			}
			if err := receive(t, done, "the end of Dial"); !errors.Is(err, ErrHandshakeEnded) {
				t.Errorf("Dial ended with %v", err)
			}
		})
	}
}

// Nothing is taken on by an Engine that was closed, and no descriptor kept.
func TestAClosedEngineTakesNothingOn(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewServer(ServerOptions{Engine: e, NoServer: true})
		if err != nil {
			t.Fatal(err)
		}
		hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = s.HandleUpgrade(w, r) }))
		defer hs.Close()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		at := strings.TrimPrefix(hs.URL, "http://")
		d := Dialer{Engine: e}
		if _, err := d.Dial(context.Background(), "ws://"+at); !errors.Is(err, ErrClosed) {
			t.Errorf("Dial: %v", err)
		}
		p := connectTo(t, at)
		p.write([]byte(upgradeHead))
		if res := p.response(); res.StatusCode != http.StatusServiceUnavailable {
			t.Error(res.Status)
		}
		if n := e.Stats().Conns; n != 0 {
			t.Errorf("%d connections on a closed engine", n)
		}
	})
}
