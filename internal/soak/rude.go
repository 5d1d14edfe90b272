package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

const request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// badFrames each break RFC 6455, and oblige the server to end the connection.
var badFrames = map[string]string{
	"not masked":               "\x81\x02hi",
	"a reserved bit":           "\xa1\x80\x00\x00\x00\x00",
	"a reserved opcode":        "\x83\x80\x00\x00\x00\x00",
	"a fragmented ping":        "\x09\x80\x00\x00\x00\x00",
	"a ping of 126 bytes":      "\x89\xfe\x00\x7e\x00\x00\x00\x00",
	"nothing to continue":      "\x80\x80\x00\x00\x00\x00",
	"text that is not UTF-8":   "\x81\x81\x00\x00\x00\x00\xff",
	"a close code of 1 byte":   "\x88\x81\x00\x00\x00\x00\x03",
	"close code 1005":          "\x88\x82\x00\x00\x00\x00\x03\xed",
	"a length of 63 bits":      "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
	"a length not minimal":     "\x82\xfe\x00\x01\x00\x00\x00\x00x",
	"text within a message":    "\x01\x81\x00\x00\x00\x00a\x81\x81\x00\x00\x00\x00b",
	"an early end, compressed": "\xc1\x81\x00\x00\x00\x00\x06",
}

// badRequests are no upgrade, or not yet.
var badRequests = []string{
	"GET / HTTP/1.1\r\nHost: localhost\r\nbroken\r\n\r\n",
	"\x16\x03\x01\x00\x05hello",
	strings.Repeat("GET ", 4096),
	"",
}

// ended is how long the server may take to be rid of a client like these; its time for a handshake is 3 s.
const ended = 20 * time.Second

// rude sends to all servers what no client should until ctx ends.
func (l *load) rude(ctx context.Context) {
	all := l.all()
	for ctx.Err() == nil {
		s := all[rand.N(len(all))]
		what, err := l.offend(ctx, s)
		// A dial may end of ctx's time a moment before ctx does.
		if until, _ := ctx.Deadline(); err != nil && ctx.Err() == nil && time.Until(until) > pause {
			l.report.wrong("rude clients", fmt.Sprintf("%s: %s: %v", s.name, what, err))
		}
		l.report.round("rude clients", nil, nil)
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(100 * time.Millisecond)):
		}
	}
}

// offend is the life of one rude client. The error tells that the server did not end it.
func (l *load) offend(ctx context.Context, s *server) (what string, err error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return "", err
	}
	raw, err := (&net.Dialer{Timeout: ended}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return "dial", err
	}
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	if err := raw.SetDeadline(time.Now().Add(ended)); err != nil {
		return "deadline", err
	}
	c := raw
	if u.Scheme == "wss" && rand.N(2) == 0 {
		trust := l.trust.Clone()
		trust.ServerName = u.Hostname()
		secure := tls.Client(raw, trust)
		if err := secure.HandshakeContext(ctx); err != nil {
			return "TLS", err
		}
		c = secure
	}
	if rand.N(4) == 0 { // it goes with an RST, some time
		defer func() { _ = raw.(*net.TCPConn).SetLinger(0) }()
	}
	if (u.Scheme == "wss") == (c != raw) && s != l.push && rand.N(2) == 0 {
		return badFrame(c)
	}
	return halfOpen(c)
}

// halfOpen sends part of a request, or something else, and waits for the server to have enough of it, or goes.
func halfOpen(c net.Conn) (what string, err error) {
	text := append(badRequests, request[:rand.N(len(request)-1)])[rand.N(len(badRequests)+1)]
	if _, err := io.WriteString(c, text); err != nil {
		return "half open", nil // it was quick
	}
	if rand.N(2) == 0 {
		time.Sleep(rand.N(2 * time.Second))
		return "half open", nil
	}
	return "half open", drain(c)
}

func badFrame(c net.Conn) (what string, err error) {
	for what = range badFrames {
		if rand.N(4) == 0 {
			break
		}
	}
	if _, err := io.WriteString(c, request); err != nil {
		return what, err
	}
	head := make([]byte, 0, 1024)
	for !strings.Contains(string(head), "\r\n\r\n") && len(head) < cap(head) {
		n, err := c.Read(head[len(head):cap(head)])
		if err != nil {
			return what, err
		}
		head = head[:len(head)+n]
	}
	if !strings.HasPrefix(string(head), "HTTP/1.1 101 ") {
		return what, fmt.Errorf("the upgrade was answered with %.40q", head)
	}
	if _, err := io.WriteString(c, badFrames[what]); err != nil {
		return what, err
	}
	return what, drain(c)
}

// drain reads until the server has ended the connection. A read that times out tells that it never does.
func drain(c net.Conn) error {
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("still open after %v", ended)
	}
	return nil
}
