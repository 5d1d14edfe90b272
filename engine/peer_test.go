//go:build unix

package engine

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// peer is a client that does only what it is told: bytes out, frames in.
type peer struct {
	t    testing.TB
	conn duplex
	r    *bufio.Reader
}

// duplex is a connection of which each direction ends by itself: TCP's and TLS's.
type duplex interface {
	net.Conn
	CloseWrite() error
}

const upgradeHead = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// connect makes a TCP connection to s.
func connect(t testing.TB, s *Server) *peer {
	t.Helper()
	return connectTo(t, s.Addr().String())
}

func connectTo(t testing.TB, addr string) *peer {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, conn: c.(duplex), r: bufio.NewReader(c)}
}

// connectTLS is connect to a server that speaks TLS, after the handshake.
func connectTLS(t testing.TB, s *Server, config *tls.Config) *peer {
	t.Helper()
	return connect(t, s).tls(config)
}

// tls is p after a handshake of TLS.
func (p *peer) tls(config *tls.Config) *peer {
	p.t.Helper()
	config = config.Clone()
	config.ServerName = "example.com"
	c := tls.Client(p.conn, config)
	if err := c.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	return &peer{t: p.t, conn: c, r: bufio.NewReader(c)}
}

// join makes a WebSocket connection to s.
func join(t testing.TB, s *Server) *peer {
	t.Helper()
	p := connect(t, s)
	p.write([]byte(upgradeHead))
	p.switched()
	return p
}

// switched reads the answer 101.
func (p *peer) switched() *http.Response {
	p.t.Helper()
	res := p.response()
	if res.StatusCode != http.StatusSwitchingProtocols {
		p.t.Fatalf("answer to the upgrade: %s", res.Status)
	}
	return res
}

// response reads an HTTP answer whole.
func (p *peer) response() *http.Response {
	p.t.Helper()
	res, err := http.ReadResponse(p.r, nil)
	if err != nil {
		p.t.Fatalf("reading a response: %v", err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(res.Body)
		if err != nil {
			p.t.Fatal(err)
		}
		res.Body = io.NopCloser(bytes.NewReader(body))
	}
	return res
}

// write sends all parts in one write, so in one segment when they are short.
func (p *peer) write(parts ...[]byte) {
	p.t.Helper()
	if _, err := p.conn.Write(bytes.Join(parts, nil)); err != nil {
		p.t.Fatalf("writing: %v", err)
	}
}

func (p *peer) text(s string) { p.t.Helper(); p.write(frameOf(Text, s)) }

// fin ends our sending side.
func (p *peer) fin() {
	p.t.Helper()
	if err := p.conn.CloseWrite(); err != nil {
		p.t.Fatal(err)
	}
}

// takesAtOnce sets the kernel's buffer for what p has not read, in bytes.
func (p *peer) takesAtOnce(n int) {
	p.t.Helper()
	if err := p.conn.(*net.TCPConn).SetReadBuffer(n); err != nil {
		p.t.Fatal(err)
	}
}

// reset ends the connection with RST.
func (p *peer) reset() {
	p.t.Helper()
	if err := p.conn.(*net.TCPConn).SetLinger(0); err != nil {
		p.t.Fatal(err)
	}
	p.conn.Close()
}

// next reads one frame.
func (p *peer) next() (op Opcode, payload []byte, err error) {
	var b []byte
	for {
		h, n, err := codec.ParseHeader(b)
		if err != nil {
			return 0, nil, err
		}
		if n > 0 {
			if h.Masked || !h.Fin {
				return 0, nil, fmt.Errorf("a server's frame with header %+v", h)
			}
			payload = make([]byte, h.Length)
			_, err = io.ReadFull(p.r, payload)
			return h.Opcode, payload, err
		}
		c, err := p.r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		b = append(b, c)
	}
}

// want reads frames and compares: "text hi", "ping", "pong x", "close 1000 bye".
func (p *peer) want(frames ...string) {
	p.t.Helper()
	for _, w := range frames {
		op, payload, err := p.next()
		if err != nil {
			p.t.Fatalf("waiting for %q: %v", w, err)
		}
		if got := describe(op, payload); got != w {
			p.t.Fatalf("frame %.200q, want %q", got, w)
		}
	}
}

func describe(op Opcode, payload []byte) string {
	name := map[Opcode]string{codec.Text: "text", codec.Binary: "binary", codec.Ping: "ping", codec.Pong: "pong", codec.Close: "close"}[op]
	if op == codec.Close && len(payload) >= 2 {
		name += fmt.Sprintf(" %d", binary.BigEndian.Uint16(payload))
		payload = payload[2:]
	}
	return strings.TrimSpace(name + " " + string(payload))
}

// end reads up to the server's FIN, and accepts nothing before it.
func (p *peer) end() {
	p.t.Helper()
	if b, err := p.r.ReadByte(); err != io.EOF {
		p.t.Fatalf("waiting for FIN: byte %#x, %v", b, err)
	}
}

// gone reads up to the end of the connection, whatever comes and however it ends.
func (p *peer) gone() {
	p.t.Helper()
	_, err := io.Copy(io.Discard, p.r)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		p.t.Fatalf("waiting for the end: %v", err)
	}
}

// frameOf is a masked frame as a client sends it.
func frameOf(op Opcode, payload string) []byte {
	return codec.AppendFrame(nil, codec.Header{Opcode: op, Fin: true, Masked: true, Mask: [4]byte{1, 2, 3, 4}}, []byte(payload))
}

// part is a masked frame without FIN.
func partOf(op Opcode, payload string) []byte {
	return codec.AppendFrame(nil, codec.Header{Opcode: op, Masked: true, Mask: [4]byte{9, 8, 7, 6}}, []byte(payload))
}

func closeOf(code CloseCode, reason string) []byte {
	return frameOf(codec.Close, string(codec.AppendClose(nil, code, reason)))
}
