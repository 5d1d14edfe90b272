//go:build unix

package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// Scenarios 20 to 22; TestUpgradeRefusals has 18, 19, 23 and 25.
func TestHandshakeOfOthers(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
		j := newJournal()
		_, addr := start(ServerOptions{Handler: j.handler()})
		for name, tc := range map[string]struct {
			req  []byte
			body string
		}{
			"doubled key": {append(request(get)[:len(request(get))-2], "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"...),
				"Missing or invalid Sec-WebSocket-Key header"},
			"key before version": {request(get, "Sec-WebSocket-Key: short", "Sec-WebSocket-Version: 12"), "Missing or invalid Sec-WebSocket-Key header"},
			"Hixie-76": {[]byte("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Key1: 3e6b263  4 17 80\r\nSec-WebSocket-Key2: 17  9 G`ZD9   2 2b 7X 3 /r90\r\n\r\nWjN}|M(6"),
				"Missing or invalid Sec-WebSocket-Key header"},
			"version in hexadecimal": {request(get, "Sec-WebSocket-Version: 0xd"), "Missing or invalid Sec-WebSocket-Version header"},
		} {
			p := connectTo(t, addr)
			p.write(tc.req)
			if res := p.response(); res.StatusCode != 400 || bodyOf(t, res) != tc.body {
				t.Errorf("%s: %s", name, res.Status)
			}
			p.gone()
		}
		p := connectTo(t, addr)
		p.write(request(get, "Sec-WebSocket-Version: 8", "Upgrade: wEbSoCkEt"))
		p.switched()
		j.want(t, "open")
	})
}

// Scenario 24, and the route to several servers.
func TestShouldHandle(t *testing.T) {
	t.Parallel()
	a, b := start(t, ServerOptions{Path: "/a"}), start(t, ServerOptions{Path: "/b"})
	for target, want := range map[string][2]bool{
		"/a": {true, false}, "/a?x=1": {true, false}, "/b?": {false, true}, "/": {}, "/A": {}, "/a/": {}, "/%61": {}, "/a#b": {},
	} {
		r := &http.Request{RequestURI: target}
		if got := [2]bool{a.ShouldHandle(r), b.ShouldHandle(r)}; got != want {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
	}
}

// Scenarios 26 to 28, 44 and 45.
func TestDeflateIsNegotiatedInTheHandshake(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
		for _, tc := range []struct {
			options       *DeflateOptions
			offer, answer string // "400" for a refusal
		}{
			{nil, "permessage-deflate; server_max_window_bits=foo", ""},
			{nil, "permessage-deflate; client_max_window_bits", ""},
			{&DeflateOptions{}, "permessage-deflate; server_max_window_bits=foo", "400"},
			{&DeflateOptions{}, "x-webkit-deflate-frame", ""},
			{&DeflateOptions{}, "permessage-deflate; bad, permessage-deflate", "400"},
			{&DeflateOptions{}, "permessage-deflate; client_max_window_bits", "permessage-deflate"},
			{&DeflateOptions{ClientMaxWindowBits: 8}, "permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=8"},
		} {
			j := newJournal()
			_, addr := start(ServerOptions{Handler: j.handler(), PerMessageDeflate: tc.options})
			p := connectTo(t, addr)
			p.write(request(get, "Sec-WebSocket-Extensions: "+tc.offer))
			if tc.answer == "400" {
				p.wantBody(400, "Invalid or unacceptable Sec-WebSocket-Extensions header")
				continue
			}
			res := p.switched()
			if got := res.Header.Get("Sec-WebSocket-Extensions"); got != tc.answer || (got == "") != (res.Header["Sec-Websocket-Extensions"] == nil) {
				t.Errorf("%s: %v", tc.offer, res.Header)
			}
			if got := j.conn(t).Extensions(); got != strings.Split(tc.answer, ";")[0] {
				t.Errorf("%s: extensions %q", tc.offer, got)
			}
		}
	})
}

// Scenario 31. In Go the hook gets a header map: lines cannot be broken by it.
func TestHeadersHook(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
		_, addr := start(ServerOptions{Headers: func(h http.Header, r *Request) {
			h.Set("X-Seen", r.Header("X-Sent"))
			h.Add("Set-Cookie", "a=1")
			h.Add("Set-Cookie", "b=2")
			h.Set("Sec-WebSocket-Accept", "forged")
			h.Set("X-Split", "1\r\nX-Injected: 2")
		}})
		p := connectTo(t, addr)
		p.write(request(get, "X-Sent: this"))
		const want = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n" +
			"X-Seen: this\r\nX-Split: 1  X-Injected: 2\r\n\r\n"
		if got := p.wire(len(want)); got != want {
			t.Fatalf("%q", got)
		}
	})
}

// Scenarios 32 and 36, with handlers that are set within Open.
func TestHandlersSetInOpenMissNothing(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
		j := newJournal()
		shared := &Handler{}
		h := Handler{
			Open: func(c *Conn, r *Request) {
				if r.Path() == "/shared" {
					c.SetHandler(shared)
					return
				}
				note := j.handler()
				c.OnOpen(func(_ *Conn, r *Request) { j.note("opened %s", r.Path()) })
				c.OnMessage(note.Message)
				c.OnPing(note.Ping)
				c.OnPong(note.Pong)
				c.OnError(note.Error)
				c.OnClose(note.Close)
				_ = c.SendText("first")
				j.note("open")
			},
			Message: func(*Conn, Message) { j.note("the server's handler was called") },
		}
		*shared = j.echo()
		shared.Open = func(*Conn, *Request) { j.note("shared") }
		_, addr := start(ServerOptions{Handler: h})
		p := connectTo(t, addr)
		p.write([]byte(upgradeHead), frameOf(Text, "pipelined"), frameOf(codec.Ping, "1"), frameOf(codec.Pong, "2"), frameOf(3, ""))
		p.switched()
		p.want("text first", "pong 1", "close 1002")
		p.fin()
		j.want(t, "open", "opened /", "text pipelined", "ping 1", "pong 2", "error WS_ERR_INVALID_OPCODE", "close 1006")
		p = connectTo(t, addr)
		p.write(request("GET /shared HTTP/1.1"), frameOf(Text, "a"))
		p.switched()
		p.want("text a")
		j.want(t, "shared", "text a")

		bye := Handler{Open: func(c *Conn, _ *Request) { _, _ = c.SendText("last"), c.Close(1000, "") }}
		_, addr = start(ServerOptions{Handler: bye})
		p = connectTo(t, addr)
		p.write([]byte(upgradeHead))
		p.switched()
		p.want("text last", "close 1000")
	})
}

// A handler may be exchanged at any time, also for nothing.
func TestHandlersAreReplaced(t *testing.T) {
	t.Parallel()
	j := newJournal()
	h := j.handler()
	open := h.Open
	h.Open = func(c *Conn, r *Request) {
		open(c, r)
		c.OnPong(nil) // which makes Open no function of its own: it is called once
	}
	s := serve(t, ServerOptions{Handler: h})
	p, c := j.opened(t, s)
	p.write(frameOf(codec.Pong, "unheard"), frameOf(Text, "1"))
	j.want(t, "text 1")
	c.OnMessage(func(c *Conn, m Message) {
		j.note("new %s", m.Data)
		c.OnMessage(nil)
	})
	p.text("2")
	p.text("3")
	p.write(frameOf(codec.Ping, "4"))
	j.want(t, "new 2", "ping 4")
	c.OnOpen(func(*Conn, *Request) { j.note("too late") })
	p.conn.Close()
	j.want(t, "close 1006")
}

// Scenario 34.
func TestUpgradedTwice(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := start(t, ServerOptions{Handler: j.echo()})
	errs := make(chan error, 2)
	hs := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		errs <- s.HandleUpgrade(w, r)
		errs <- s.HandleUpgrade(w, r)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go hs.Serve(ln)
	defer hs.Close()
	p := connectTo(t, ln.Addr().String())
	p.write([]byte(upgradeHead))
	p.switched()
	if err := receive(t, errs, "the first"); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, errs, "the second"); !errors.Is(err, ErrUpgradedTwice) {
		t.Fatal(err)
	}
	p.text("unharmed")
	p.want("text unharmed")

	near, far := net.Pipe()
	defer far.Close()
	go far.Write([]byte(upgradeHead))
	if err := s.HandleUpgradeConn(near, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.HandleUpgradeConn(near, nil, nil); !errors.Is(err, ErrUpgradedTwice) {
		t.Fatal(err)
	}
	if _, err := http.ReadResponse(bufio.NewReader(far), nil); err != nil {
		t.Fatal("the first is harmed:", err)
	}
}

// pairOf is a connection as HandleUpgradeConn gets it: near is ours to hand over.
func pairOf(t *testing.T, kind string) (near net.Conn, far net.Conn) {
	t.Helper()
	if kind == "pipe" {
		near, far = net.Pipe()
	} else {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if far, err = net.Dial("tcp", ln.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if near, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	if kind == "tls" {
		server, client := testCert(t)
		client.ServerName = "example.com"
		near, far = tls.Server(near, server), tls.Client(far, client)
	}
	t.Cleanup(func() { far.Close() })
	if err := far.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// Scenario 35: a raw connection of any kind, and the bytes already read from it.
func TestHandleUpgradeConn(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"tcp", "pipe", "tls"} {
		t.Run(kind, func(t *testing.T) {
			j := newJournal()
			h := j.echo()
			h.Open = func(c *Conn, r *Request) {
				j.note("open %s %v %v", r.Target(), r.Secure(), r.RemoteAddr() != nil && c.RemoteAddr().String() == r.RemoteAddr().String())
			}
			s := start(t, ServerOptions{Handler: h, Path: "/p"})
			req := string(request("GET /p?x HTTP/1.1"))
			frames := string(frameOf(Text, "a")) + string(frameOf(Text, "b"))
			opened := "open /p?x " + map[bool]string{true: "true true", false: "false true"}[kind == "tls"]
			for _, tc := range []struct {
				name       string
				parsed     bool
				head, wire string
			}{
				{"nothing read", false, "", req + frames},
				{"half of the request read", false, req[:30], req[30:] + frames},
				{"all read", false, req + frames, ""},
				{"request read and parsed", true, frames[:3], frames[3:]},
				{"all read and parsed", true, frames, ""},
			} {
				near, far := pairOf(t, kind)
				wrote := make(chan error, 1)
				go func() {
					// Bytes that the caller has read are not sent again: for TLS there must
					// be some traffic before, and that is the rest.
					_, err := io.WriteString(far, tc.wire)
					wrote <- err
				}()
				if c, ok := near.(*tls.Conn); ok {
					if err := c.HandshakeContext(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				var r *http.Request
				if tc.parsed {
					var err error
					if r, err = http.ReadRequest(bufio.NewReader(strings.NewReader(req))); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.HandleUpgradeConn(near, r, []byte(tc.head)); err != nil {
					t.Fatal(tc.name, err)
				}
				p := &peer{t: t, r: bufio.NewReader(far)}
				p.switched()
				p.want("text a", "text b")
				j.want(t, opened, "text a", "text b")
				if _, err := far.Write(closeOf(1000, "")); err != nil {
					t.Fatal(err)
				}
				p.want("close 1000")
				if err := receive(t, wrote, "the writer"); err != nil {
					t.Fatal(err)
				}
				far.Close()
				j.want(t, "close 1000")
			}
		})
	}
}

// R7: what the peer said and its FIN may both be there before the engine has the
// connection.
func TestR7EndBeforeTheUpgrade(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := start(t, ServerOptions{Config: cfg, Handler: j.handler()})
		for range 100 {
			near, far := pairOf(t, "tcp")
			if _, err := far.Write(append([]byte(upgradeHead), frameOf(Text, "all")...)); err != nil {
				t.Fatal(err)
			}
			if err := far.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			head := make([]byte, len(upgradeHead))
			if _, err := io.ReadFull(near, head); err != nil {
				t.Fatal(err)
			}
			if err := s.HandleUpgradeConn(near, nil, head); err != nil {
				t.Fatal(err)
			}
			j.want(t, "open", "text all", "close 1006")
			far.Close()
		}
	})
}

func TestHandleUpgradeConnRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, ServerOptions{Path: "/p"})
	for _, tc := range []struct {
		head   string
		parsed bool
		status int
	}{
		{string(request("GET /other HTTP/1.1")), false, 400},
		{string(request("GET /other HTTP/1.1")), true, 400},
		{string(request("POST /p HTTP/1.1")), true, 405},
		{"garbage\r\n\r\n", false, 400},
		{strings.Repeat("x", 10<<10), false, 431},
		{"GET /p HTTP/1.1\r\nHost: x\r\n\r\n", false, 426},
	} {
		near, far := pairOf(t, "pipe")
		var r *http.Request
		head := []byte(tc.head)
		if tc.parsed {
			var err error
			if r, err = http.ReadRequest(bufio.NewReader(strings.NewReader(tc.head))); err != nil {
				t.Fatal(err)
			}
			head = nil
		}
		errs := make(chan error, 1)
		go func() { errs <- s.HandleUpgradeConn(near, r, head) }()
		p := &peer{t: t, r: bufio.NewReader(far)}
		if res := p.response(); res.StatusCode != tc.status {
			t.Errorf("%.30q: %s, want %d", tc.head, res.Status, tc.status)
		}
		if err := receive(t, errs, "HandleUpgradeConn"); tc.parsed && err == nil {
			t.Errorf("%.30q: no error", tc.head)
		}
		far.Close()
	}
}
