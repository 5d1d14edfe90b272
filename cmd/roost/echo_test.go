//go:build unix

package main

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
)

func TestBroadcastReachesEveryConnectionInOrder(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--broadcast")
	var conns []*websocket.Conn
	for range 10 {
		conns = append(conns, dialGorilla(t, url))
	}
	// A connection that hears itself is subscribed; the others are then told apart
	// by number from what they heard while they joined.
	for i, c := range conns {
		must(t, c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, "joined %d", i)))
		readUntil(t, c, fmt.Sprintf("joined %d", i))
	}
	for i := range 100 {
		must(t, conns[0].WriteMessage(websocket.BinaryMessage, fmt.Appendf(nil, "number %d", i)))
	}
	for _, c := range conns {
		readUntil(t, c, "number 0")
		for i := 1; i < 100; i++ {
			kind, got, err := c.ReadMessage()
			if want := fmt.Sprintf("number %d", i); err != nil || kind != websocket.BinaryMessage || string(got) != want {
				t.Fatalf("got kind %d, %q, %v, want %q", kind, got, err, want)
			}
		}
	}
}

func readUntil(t *testing.T, c *websocket.Conn, want string) {
	t.Helper()
	for {
		_, got, err := c.ReadMessage()
		must(t, err)
		if string(got) == want {
			return
		}
	}
}

func TestEveryTuningFlagStartsAServerThatEchoes(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--loops", "2", "--workers", "8", "--dispatch", "loop", "--batch", "64", "--read-buffer", "16KiB",
		"--backlog", "256", "--reuseport", "--rcvbuf", "64KiB", "--sndbuf", "64KiB", "--defer-accept", "1s", "--busy-poll", "50us",
		"--max-conns", "100", "--accept-rate", "10000", "--max-conns-per-ip", "50", "--max-payload", "1MiB", "--max-outbox", "2MiB", "--handshake-timeout", "5s",
		"--idle-timeout", "1m", "--ping-interval", "30s", "--gc-percent", "200", "--memory-limit", "1GiB", "--log-level", "debug", "--log-format", "json")
	c := dialGorilla(t, url)
	must(t, c.WriteMessage(websocket.TextMessage, []byte("hello")))
	if _, got, err := c.ReadMessage(); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestConnectionsAboveTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--max-conns", "--max-conns-per-ip"} {
		t.Run(flag, func(t *testing.T) {
			_, url := startEcho(t, flag, "1")
			first := dialGorilla(t, url)
			c, res, err := websocket.DefaultDialer.Dial(url, nil)
			if err == nil {
				_ = c.Close() // it should not be there at all
				t.Fatal("a second connection was let in")
			}
			if res != nil && res.StatusCode != http.StatusServiceUnavailable && res.StatusCode != http.StatusTooManyRequests {
				t.Errorf("answered %s", res.Status)
			}
			must(t, first.Close())
			eventually(t, "room for another after the first left", func() error {
				c, _, err := websocket.DefaultDialer.Dial(url, nil)
				return errors.Join(err, closeIf(c))
			})
		})
	}
}

func closeIf(c *websocket.Conn) error {
	if c == nil {
		return nil
	}
	return c.Close()
}
