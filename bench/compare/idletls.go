package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// idleTLS opens connections over TLS and sees what the server's memory grows by
// from a tenth of them to all, as the load in C does without TLS.
func idleTLS(ctx context.Context, w work, port, pid int) (report, error) {
	conns := make([]net.Conn, w.counts[0])
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close() // the server is killed next
			}
		}
	}()
	addr := "127.0.0.1:" + strconv.Itoa(port)
	if err := listening(ctx, addr); err != nil {
		return report{}, err
	}
	some := len(conns) / 10
	if err := openTLS(ctx, addr, conns[:some]); err != nil {
		return report{}, err
	}
	before, err := anonymous(ctx, pid)
	if err != nil {
		return report{}, err
	}
	if err := openTLS(ctx, addr, conns[some:]); err != nil {
		return report{}, err
	}
	after, err := anonymous(ctx, pid)
	if err != nil {
		return report{}, err
	}
	return report{Bytes: (after - before) / float64(len(conns)-some)}, nil
}

// openTLS fills conns, some at a time.
func openTLS(ctx context.Context, addr string, conns []net.Conn) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var openers sync.WaitGroup
	const together = 16
	for k := range together {
		openers.Go(func() {
			for i := k; i < len(conns) && ctx.Err() == nil; i += together {
				c, err := dialTLS(ctx, addr)
				if err != nil {
					cancel(fmt.Errorf("connection %d: %w", i, err))
					return
				}
				conns[i] = c
			}
		})
	}
	openers.Wait()
	return context.Cause(ctx)
}

// dialTLS is a connection that has been upgraded.
func dialTLS(ctx context.Context, addr string) (net.Conn, error) {
	c, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = c.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	if err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(c, 1024), nil)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("upgrade: %s", answer.Status)
	}
	return c, nil
}

// anonymous is the process' resident memory that is its own, once it has settled.
func anonymous(ctx context.Context, pid int) (float64, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Second):
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(text, []byte("Anonymous:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("no line Anonymous in smaps_rollup of process %d", pid)
	}
	kib, err := strconv.ParseFloat(string(fields[0]), 64)
	return kib * 1024, err
}
