package conformance

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// maskKey is that of the examples in RFC 6455 section 5.7.
var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// sent is a client's frame: masked, with FIN, RSV and opcode as they stand in the
// first octet.
func sent[P []byte | string](first byte, payload P) []byte {
	b := append(make([]byte, 0, 14+len(payload)), head(first, 0x80, len(payload))...)
	b = append(b, maskKey[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^maskKey[i%4])
	}
	return b
}

// came is a server's frame.
func came[P []byte | string](first byte, payload P) []byte {
	return append(head(first, 0, len(payload)), payload...)
}

// head is a frame's beginning with the length in its shortest form (section 5.2).
func head(first, masked byte, length int) []byte {
	switch {
	case length > 65535:
		return binary.BigEndian.AppendUint64([]byte{first, masked | 127}, uint64(length))
	case length > 125:
		return binary.BigEndian.AppendUint16([]byte{first, masked | 126}, uint16(length))
	}
	return []byte{first, masked | byte(length)}
}

// status is the payload of a close frame.
func status(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// client is a connection after the opening handshake.
type client struct {
	net.Conn
	r          *bufio.Reader
	extensions string
}

const request = "GET / HTTP/1.1\r\nHost: conformance\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// join opens a connection. offer is for Sec-WebSocket-Extensions, "" for none.
func (s *site) join(t testing.TB, offer string) *client {
	t.Helper()
	if offer != "" {
		offer = "Sec-WebSocket-Extensions: " + offer + "\r\n"
	}
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	if s.tls != nil {
		conn = tls.Client(conn, s.tls)
	}
	t.Cleanup(func() { _ = conn.Close() }) // most are closed already
	c := &client{Conn: conn, r: bufio.NewReader(conn)}
	c.hurry(t)
	c.write(t, []byte(request+offer+"\r\n"))
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 6455 section 1.3.
	if accept := res.Header.Get("Sec-WebSocket-Accept"); res.StatusCode != 101 || accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("answer to the handshake: %s, accept %q", res.Status, accept)
	}
	c.extensions = res.Header.Get("Sec-WebSocket-Extensions")
	return c
}

// hurry gives the connection patience from now on.
func (c *client) hurry(t testing.TB) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

func (c *client) write(t testing.TB, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatalf("writing: %v", err)
	}
}

// frame reads a frame of the server's, which must be unmasked and have the length
// in its shortest form.
func (c *client) frame() (first byte, payload []byte, err error) {
	b := make([]byte, 10)
	if _, err := io.ReadFull(c.r, b[:2]); err != nil {
		return 0, nil, err
	}
	n, size := uint64(b[1]), 2
	switch n {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if _, err := io.ReadFull(c.r, b[2:size]); err != nil {
		return 0, nil, err
	}
	switch n {
	case 126:
		n = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		n = binary.BigEndian.Uint64(b[2:])
	}
	if n > 1<<30 || !bytes.Equal(b[:size], head(b[0], 0, int(n))) {
		return 0, nil, fmt.Errorf("header % x of %d bytes is masked, or not the shortest", b[:size], n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.r, payload)
	return b[0], payload, err
}
