//go:build unix

package engine

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// behind makes s answer for an http.Server and returns its address.
func behind(t *testing.T, s *Server) string {
	t.Helper()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h.Listener.Addr().String()
}

func TestHandleUpgrade(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := start(t, ServerOptions{Config: cfg, Handler: j.echo()})
		addr := behind(t, s)
		f := frameOf(Text, "split")
		p := connectTo(t, addr)
		p.write([]byte(upgradeHead), frameOf(Text, "pipelined"), f[:5])
		p.switched()
		p.want("text pipelined")
		p.write(f[5:], closeOf(1000, "x"))
		p.want("text split", "close 1000 x")
		p.end()
		p.fin()
		j.want(t, "open", "text pipelined", "text split", "close 1000 x")
	})
}

func TestHandleUpgradeRequest(t *testing.T) {
	t.Parallel()
	j := newJournal()
	h := j.handler()
	h.Open = func(c *Conn, r *Request) {
		hr, err := r.HTTP()
		j.note("%s %s %s %s %s %v %v", r.Method(), r.Path(), r.Header("Host"), r.Header("a"), c.Protocol(), hr.URL, err)
		if r.RemoteAddr() == nil || r.RemoteAddr().String() != c.RemoteAddr().String() {
			j.note("remote %v, %v", r.RemoteAddr(), c.RemoteAddr())
		}
	}
	s := start(t, ServerOptions{Handler: h, Verify: func(r *Request) error {
		if a := r.RemoteAddr(); a == nil || !strings.HasPrefix(a.String(), "127.0.0.1:") {
			j.note("remote in Verify: %v", a)
		}
		if r.Path() != "/in" {
			return &RejectError{Status: 403, Msg: "Nope"}
		}
		return nil
	}})
	addr := behind(t, s)
	p := connectTo(t, addr)
	p.write(request("GET /in?x HTTP/1.1", "A: 1", "Sec-WebSocket-Protocol: p"))
	p.switched()
	j.want(t, "GET /in x 1 p /in?x <nil>")

	p = connectTo(t, addr)
	p.write(request("GET /out HTTP/1.1"))
	p.wantBody(403, "Nope")
	p.end()
	p = connectTo(t, addr)
	p.write(request(get, "Sec-WebSocket-Version: 7"))
	if res := p.response(); res.StatusCode != 400 || res.Header.Get("Sec-WebSocket-Version") != "13, 8" {
		t.Fatal(res.Status, res.Header)
	}
}

func TestHandleUpgradeAfterClose(t *testing.T) {
	t.Parallel()
	s := start(t, ServerOptions{})
	addr := behind(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p := connectTo(t, addr)
	p.write([]byte(upgradeHead))
	p.wantBody(503, "Service Unavailable")
}

func TestHandleUpgradeWithoutHijacker(t *testing.T) {
	t.Parallel()
	s := start(t, ServerOptions{})
	r := httptest.NewRequest("GET", "/", nil)
	for k, v := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"} {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	if err := s.HandleUpgrade(w, r); err == nil || w.Code != http.StatusUpgradeRequired {
		t.Fatal(w.Code, err)
	}
	var he *codec.HandshakeError
	r.Header.Del("Sec-WebSocket-Key")
	if err := s.HandleUpgrade(httptest.NewRecorder(), r); !errors.As(err, &he) || he.Status != 400 {
		t.Fatal(err)
	}
}

// The limits of connections hold for those that come through net/http, too.
func TestR9MaxConnsThroughHandleUpgrade(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := start(t, ServerOptions{Config: Config{MaxConns: 1}, Handler: j.handler()})
	addr := behind(t, s)
	p := connectTo(t, addr)
	p.write([]byte(upgradeHead))
	p.switched()
	j.want(t, "open")
	q := connectTo(t, addr)
	q.write([]byte(upgradeHead))
	if res := q.response(); res.StatusCode != 503 {
		t.Fatal(res.Status)
	}
	p.conn.Close()
	j.want(t, "close 1006")
	eventually(t, "the place to be free", func() bool { return s.e.Stats().Conns == 0 })
	p = connectTo(t, addr)
	p.write([]byte(upgradeHead))
	p.switched()
}

func TestR9MaxConnsPerIPThroughHandleUpgrade(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := start(t, ServerOptions{MaxConnsPerIP: 1, Handler: j.handler()})
	addr := behind(t, s)
	p := connectTo(t, addr)
	p.write([]byte(upgradeHead))
	p.switched()
	j.want(t, "open")
	q := connectTo(t, addr)
	q.write([]byte(upgradeHead))
	if res := q.response(); res.StatusCode != 429 {
		t.Fatal(res.Status)
	}
	p.conn.Close()
	j.want(t, "close 1006")
}

func TestShutdownWithoutConnections(t *testing.T) {
	t.Parallel()
	s := start(t, ServerOptions{})
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// wrapped is a connection of TCP with a reader of its own, as of a proxy's protocol.
type wrapped struct {
	*net.TCPConn
	r *bufio.Reader
}

func (w *wrapped) Read(p []byte) (int, error) { return w.r.Read(p) }

func TestHandleUpgradeConnTakesWhatAWrapperHasRead(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := start(t, ServerOptions{Handler: j.echo()})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := connectTo(t, ln.Addr().String())
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p.write([]byte(upgradeHead), frameOf(Text, "hello"))
	w := &wrapped{conn.(*net.TCPConn), bufio.NewReader(conn)}
	if _, err := w.r.Peek(len(upgradeHead)); err != nil {
		t.Fatal(err)
	}
	if err := s.HandleUpgradeConn(w, nil, nil); err != nil {
		t.Fatal(err)
	}
	p.switched()
	p.want("text hello")
}
