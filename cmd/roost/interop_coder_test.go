//go:build unix

package main

import (
	"bytes"
	"context"
	"syscall"
	"testing"

	coder "github.com/coder/websocket"
)

func dialCoder(t *testing.T, url string) (*coder.Conn, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c, _, err := coder.Dial(ctx, url, nil)
	must(t, err)
	t.Cleanup(func() { _ = c.CloseNow() }) // closed twice by some tests
	c.SetReadLimit(-1)
	return c, ctx
}

func TestCoderEcho(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t)
	c, ctx := dialCoder(t, url)
	for name, want := range payloads() {
		// coder sends a frame for each Write, and an empty last one.
		w, err := c.Writer(ctx, coder.MessageBinary)
		must(t, err)
		half := len(want) / 2
		for _, part := range [][]byte{want[:half], want[half:]} {
			_, err := w.Write(part)
			must(t, err)
		}
		must(t, w.Close())
		kind, got, err := c.Read(ctx)
		must(t, err)
		if kind != coder.MessageBinary || !bytes.Equal(got, want) {
			t.Errorf("%s: got kind %v and %d bytes", name, kind, len(got))
		}
	}
	must(t, c.Write(ctx, coder.MessageText, []byte("Grüße")))
	kind, got, err := c.Read(ctx)
	if err != nil || kind != coder.MessageText || string(got) != "Grüße" {
		t.Errorf("got %v, %q, %v", kind, got, err)
	}
}

func TestCoderPingAndClose(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t)
	c, ctx := dialCoder(t, url)
	background := c.CloseRead(ctx)
	for range 3 {
		must(t, c.Ping(background))
	}
	c, _ = dialCoder(t, url)
	if err := c.Close(4321, "done"); err != nil {
		t.Errorf("close handshake: %v", err)
	}
}

func TestCoderSeesTheShutdown(t *testing.T) {
	t.Parallel()
	p, url := startEcho(t)
	c, ctx := dialCoder(t, url)
	p.signal(t, syscall.SIGTERM)
	if _, _, err := c.Read(ctx); coder.CloseStatus(err) != coder.StatusGoingAway {
		t.Errorf("got %v, want close code 1001", err)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}
