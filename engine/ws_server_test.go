//go:build unix

package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Scenarios 1 and 2.
func TestExactlyOneModeOfServer(t *testing.T) {
	t.Parallel()
	external := new(http.Server)
	for name, tc := range map[string]struct {
		o    ServerOptions
		good bool
	}{
		"none":                     {ServerOptions{}, false},
		"port and server":          {ServerOptions{Port: Port(0), Server: external}, false},
		"port and noServer":        {ServerOptions{Port: Port(0), NoServer: true}, false},
		"server and noServer":      {ServerOptions{Server: external, NoServer: true}, false},
		"addr and noServer":        {ServerOptions{Addr: "127.0.0.1:0", NoServer: true}, false},
		"all":                      {ServerOptions{Port: Port(0), Server: external, NoServer: true}, false},
		"port 0":                   {ServerOptions{Host: "127.0.0.1", Port: Port(0)}, true},
		"port 0 of every address":  {ServerOptions{Port: Port(0)}, true},
		"addr":                     {ServerOptions{Addr: "127.0.0.1:0"}, true},
		"server":                   {ServerOptions{Server: new(http.Server)}, true},
		"noServer":                 {ServerOptions{NoServer: true}, true},
		"noServer needs no engine": {ServerOptions{NoServer: true, Config: Config{Loops: 1}}, true},
	} {
		s, err := NewServer(tc.o)
		switch {
		case tc.good && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.good:
			stop(t, s)
		case !errors.Is(err, ErrServerMode) || err.Error() != `One and only one of the "port", "server", or "noServer" options must be specified`:
			t.Errorf("%s: %v", name, err)
		}
	}
	if external.Handler != nil || external.BaseContext != nil {
		t.Error("options that were refused changed the http.Server")
	}
	for _, o := range []ServerOptions{
		{Addr: "127.0.0.1:0", Port: Port(0)}, {Addr: "127.0.0.1:0", Host: "x"}, {Host: "x", NoServer: true},
		{Port: Port(-1)}, {Port: Port(65536)}, {Addr: "nonsense"},
		{NoServer: true, Verify: func(*Request) error { return nil }, VerifyClient: func(*VerifyInfo) bool { return true }},
	} {
		if _, err := NewServer(o); err == nil || errors.Is(err, ErrServerMode) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Scenario 3, but that in Go the constructor returns the error.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerOptions{})
	if _, err := NewServer(ServerOptions{Addr: s.Addr().String()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatal(err)
	}
}

// Scenarios 4 and 5.
func TestAddressAndListening(t *testing.T) {
	t.Parallel()
	heard := make(chan net.Addr, 1)
	s, err := NewServer(ServerOptions{Host: "127.0.0.1", Port: Port(0), OnListening: func(s *Server) { heard <- s.Addr() }})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, s)
	if a, ok := s.Addr().(*net.TCPAddr); !ok || a.Port == 0 || receive(t, heard, "OnListening").String() != a.String() {
		t.Fatal(s.Addr())
	}
	if err := s.Close(); err != nil || s.Addr() != nil {
		t.Fatal(err, s.Addr())
	}
	if none := start(t, ServerOptions{NoServer: true}); none.Addr() != nil {
		t.Fatal(none.Addr())
	}
}

// Scenarios 6 and 7.
func TestPlainRequestsAreAnswered426(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerOptions{})
	for _, req := range [][]byte{
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), request(get, "Upgrade:"), request(get, "Connection:"),
		request(get, "Connection: keep-alive"), []byte("POST / HTTP/1.0\r\n\r\n"),
	} {
		p := connect(t, s)
		p.write(req)
		res := p.response()
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != 426 || res.Header.Get("Content-Type") != "text/plain" || string(body) != "Upgrade Required" ||
			res.ContentLength != 16 || res.Header.Get("Upgrade") != "websocket" {
			t.Errorf("%q: %s %v %q", req, res.Status, res.Header, body)
		}
	}
	p := connect(t, s)
	p.write(request("GET / HTTP/1.0"))
	p.switched() // HTTP/1.0 with both headers is let in
}

// closes counts the ends that a server tells of.
type closes struct {
	event, nils, refused atomic.Int32
	told                 chan string
}

func (c *closes) done(err error) {
	if err == nil {
		c.nils.Add(1)
		c.told <- "done"
	} else if errors.Is(err, ErrNotRunning) {
		c.refused.Add(1)
		c.told <- err.Error()
	}
}

func newCloses() (*closes, func()) {
	c := &closes{told: make(chan string, 10)}
	return c, func() { c.event.Add(1); c.told <- "close" }
}

// Scenarios 8, 11, 13 and 15.
func TestServerCloseWaitsForItsClients(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.echo()
		var s *Server
		h.Open = func(c *Conn, _ *Request) { j.note("open with %d", len(s.Clients())); j.conns <- c }
		h.Close = func(c *Conn, code CloseCode, _ string) { j.note("close %d with %d", code, len(s.Clients())) }
		c, event := newCloses()
		ready := make(chan bool)
		s, err := NewServer(ServerOptions{Addr: "127.0.0.1:0", Config: cfg, Handler: h, OnClose: event,
			Verify: func(*Request) error { <-ready; return nil }})
		close(ready)
		if err != nil {
			t.Fatal(err)
		}
		defer stop(t, s)
		p := join(t, s)
		j.want(t, "open with 1")
		addr := s.Addr().String()
		for range 3 {
			if err := s.CloseThen(c.done); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "the port to be free", func() bool { // and another process may have it in between
			c, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				c.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		})
		p.text("still usable")
		p.want("text still usable")
		j.want(t, "text still usable")
		if c.event.Load() != 0 {
			t.Fatal("closed with a client")
		}
		p.write(closeOf(1000, ""))
		p.want("close 1000")
		p.fin()
		j.want(t, "close 1000 with 0")
		for _, w := range []string{"close", "done", "done", "done"} {
			if got := receive(t, c.told, w); got != w {
				t.Fatalf("told %q, want %q", got, w)
			}
		}
		if err := s.CloseThen(c.done); !errors.Is(err, ErrNotRunning) {
			t.Fatal(err)
		}
		if got := receive(t, c.told, "an error"); got != "The server is not running" {
			t.Fatal(got)
		}
		if c.event.Load() != 1 || c.nils.Load() != 3 || c.refused.Load() != 1 {
			t.Fatal(c.event.Load(), c.nils.Load(), c.refused.Load())
		}
	})
}

// Scenario 15 for a client that vanishes.
func TestClientsForgetsTheAbrupt(t *testing.T) {
	t.Parallel()
	j := newJournal()
	h := j.handler()
	h.Close = func(c *Conn, _ CloseCode, _ string) { j.note("left %d", len(c.Server().Clients())) }
	s := serve(t, ServerOptions{Handler: h})
	p, c := j.opened(t, s)
	if got := s.Clients(); len(got) != 1 || got[0] != c {
		t.Fatal(got)
	}
	p.reset()
	j.want(t, "left 0")
	off := serve(t, ServerOptions{Handler: j.handler(), NoClientTracking: true})
	j.opened(t, off)
	if off.Clients() != nil {
		t.Fatal(off.Clients())
	}
}

// Scenario 10: a connection that has said nothing is ended, and then the server is closed.
func TestServerCloseEndsHandshakes(t *testing.T) {
	t.Parallel()
	c, event := newCloses()
	s := serve(t, ServerOptions{OnClose: event})
	p := connect(t, s)
	eventually(t, "the connection", func() bool { return s.e.Stats().Conns == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p.gone()
	receive(t, c.told, "the close event")
}

// Scenario 12.
func TestServerCloseWithoutTrackingWaitsForNobody(t *testing.T) {
	t.Parallel()
	c, event := newCloses()
	j := newJournal()
	s := start(t, ServerOptions{NoServer: true, NoClientTracking: true, Handler: j.echo(), OnClose: event})
	p := connectTo(t, behind(t, s))
	p.write([]byte(upgradeHead))
	p.switched()
	j.want(t, "open")
	if err := s.CloseThen(c.done); err != nil {
		t.Fatal(err)
	}
	if receive(t, c.told, "the event") != "close" || receive(t, c.told, "done") != "done" {
		t.Fatal("told in another order")
	}
	p.text("alive")
	p.want("text alive")
}

// Scenario 9, and the rest of an http.Server's own routes, plain and with TLS.
func TestServerOnAnExistingHTTPServer(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		mux := http.NewServeMux()
		mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
		hs := httptest.NewUnstartedServer(mux)
		defer hs.Close()
		heard := make(chan string, 1)
		j := newJournal()
		h := j.echo()
		h.Open = func(c *Conn, r *Request) {
			j.note("secure %v %v", r.Secure(), c.RemoteAddr().String() == r.RemoteAddr().String())
		}
		s := start(t, ServerOptions{Server: hs.Config, Path: "/ws", Handler: h, OnListening: func(s *Server) { heard <- s.Addr().String() }})
		if s.Addr() != nil {
			t.Fatal("an address before it serves:", s.Addr())
		}
		if tls {
			hs.StartTLS()
		} else {
			hs.Start()
		}
		if a := receive(t, heard, "OnListening"); a != hs.Listener.Addr().String() || s.Addr().String() != a {
			t.Fatal(a, s.Addr())
		}
		d := newJournal()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		dialer := Dialer{Engine: s.Engine(), Handler: d.handler()}
		scheme := "ws://"
		if tls {
			dialer.TLS = hs.Client().Transport.(*http.Transport).TLSClientConfig
			scheme = "wss://"
		}
		c, err := dialer.Dial(ctx, scheme+hs.Listener.Addr().String()+"/ws?x")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SendText("over it"); err != nil {
			t.Fatal(err)
		}
		j.want(t, map[bool]string{false: "secure false true", true: "secure true true"}[tls], "text over it")
		d.want(t, "open", "text over it")
		want := func(path, body string, status int, headers ...string) {
			t.Helper()
			req, _ := http.NewRequestWithContext(ctx, "GET", hs.URL+path, nil)
			for i := 0; i < len(headers); i += 2 {
				req.Header.Set(headers[i], headers[i+1])
			}
			res, err := hs.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if b, _ := io.ReadAll(res.Body); res.StatusCode != status || string(b) != body {
				t.Errorf("%s %v: %s %q, want %d %q", path, headers, res.Status, b, status, body)
			}
		}
		want("/hello", "hello", 200)
		upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
		want("/hello", "Bad Request", 400, upgrade...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		want("/hello", "hello", 200)
		want("/hello", "hello", 200, upgrade...) // the hook is gone
		c.Terminate()
		j.want(t, "close 1006")
	}
}

// Scenario 16.
func TestServerOnAUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal()
	h := j.echo()
	h.Open = func(c *Conn, r *Request) { j.note("%s %v", r.Target(), c.RemoteAddr() != nil) }
	hs := new(http.Server)
	start(t, ServerOptions{Server: hs, Handler: h})
	go hs.Serve(ln)
	defer hs.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(append(request("GET /p?q=1 HTTP/1.1"), frameOf(Text, "hi")...)); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-j.calls:
		if got[:7] != "/p?q=1 " {
			t.Fatal(got)
		}
	case <-time.After(patience):
		t.Fatal("no connection")
	}
	j.want(t, "text hi")
}

// Scenario 17.
func TestOptionsReachEachConnection(t *testing.T) {
	t.Parallel()
	const timeout = 150 * time.Millisecond
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), DisableAutoPong: true, CloseTimeout: timeout})
	p, c := j.opened(t, s)
	p.write(frameOf(9, "no pong"))
	j.want(t, "ping no pong")
	began := time.Now()
	if err := c.Close(1000, ""); err != nil {
		t.Fatal(err)
	}
	p.want("close 1000") // and no pong before it
	j.want(t, "close 1006")
	if d := time.Since(began); d < timeout || d > 20*timeout {
		t.Fatalf("ended after %v", d)
	}
}
