//go:build unix

package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
)

// deflatePayloads alternates compressible with random data: a window that the two sides don't
// share shows at the next message, and so does data that did not shrink.
func deflatePayloads() [][]byte {
	text := []byte(strings.Repeat("all work and no play ", 5000))
	return [][]byte{text, random(100_000), text, {}, text[:10], random(10), text, text}
}

func TestGorillaDeflate(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--deflate")
	c := dialGorillaWith(t, url, websocket.Dialer{EnableCompression: true})
	for i, want := range deflatePayloads() {
		must(t, c.WriteMessage(websocket.BinaryMessage, want))
		_, got, err := c.ReadMessage()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("message %d: %d bytes, %v, want %d", i, len(got), err, len(want))
		}
	}
}

func TestCoderDeflate(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--deflate")
	for name, mode := range map[string]coder.CompressionMode{
		"takeover":    coder.CompressionContextTakeover,
		"no takeover": coder.CompressionNoContextTakeover,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			c, res, err := coder.Dial(ctx, url, &coder.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
			must(t, err)
			defer func() { _ = c.CloseNow() }()
			if x := res.Header.Get("Sec-WebSocket-Extensions"); !strings.HasPrefix(x, "permessage-deflate") {
				t.Fatalf("not agreed: %q", x)
			}
			c.SetReadLimit(-1)
			for i, want := range deflatePayloads() {
				must(t, c.Write(ctx, coder.MessageBinary, want))
				_, got, err := c.Read(ctx)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("message %d: %d bytes, %v, want %d", i, len(got), err, len(want))
				}
			}
		})
	}
}

// TestInflatedSizeIsBounded: --max-payload counts what a message inflates to.
func TestInflatedSizeIsBounded(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--deflate", "--max-payload", "64KiB")
	c := dialGorillaWith(t, url, websocket.Dialer{EnableCompression: true})
	must(t, c.WriteMessage(websocket.BinaryMessage, make([]byte, 1<<20)))
	if code := readClose(t, c); code != websocket.CloseMessageTooBig {
		t.Errorf("close code %d, want %d", code, websocket.CloseMessageTooBig)
	}
}

// TestWhateverMayComeGoesBack: the outbox has room for a message of --max-payload, also
// for one that compressing makes longer.
func TestWhateverMayComeGoesBack(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--deflate", "--max-payload", "20MiB")
	for _, compress := range []bool{false, true} {
		c := dialGorillaWith(t, url, websocket.Dialer{EnableCompression: compress})
		c.SetReadLimit(-1)
		want := random(19 << 20)                                          // --max-payload counts what is on the wire
		go func() { _ = c.WriteMessage(websocket.BinaryMessage, want) }() // what fails shows below
		_, got, err := c.ReadMessage()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("compressed %t: %d bytes, %v, want %d", compress, len(got), err, len(want))
		}
	}
}
