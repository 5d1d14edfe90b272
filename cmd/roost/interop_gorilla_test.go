//go:build unix

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// random is n bytes that no compressor shrinks.
func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b) // never fails
	return b
}

// payloads are sizes on both sides of each change of the frame header (RFC 6455
// section 5.2) and of a read buffer.
func payloads() map[string][]byte {
	p := map[string][]byte{}
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 65537, 16 << 20} {
		p[fmt.Sprintf("%d bytes", n)] = random(n)
	}
	return p
}

func TestGorillaEcho(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t)
	c := dialGorilla(t, url)
	for name, want := range payloads() {
		must(t, c.WriteMessage(websocket.BinaryMessage, want))
		kind, got, err := c.ReadMessage()
		must(t, err)
		if kind != websocket.BinaryMessage || !bytes.Equal(got, want) {
			t.Errorf("%s: got kind %d and %d bytes", name, kind, len(got))
		}
	}
	const text = "Grüße, 世界 🌍"
	must(t, c.WriteMessage(websocket.TextMessage, []byte(text)))
	kind, got, err := c.ReadMessage()
	if err != nil || kind != websocket.TextMessage || string(got) != text {
		t.Errorf("got kind %d, %q, %v, want text %q", kind, got, err, text)
	}
}

func TestGorillaFragmentsAreOneMessage(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t)
	// With a small buffer gorilla sends a frame for each buffer full.
	c := dialGorillaWith(t, url, websocket.Dialer{WriteBufferSize: 64})
	want := random(10_000)
	must(t, c.WriteMessage(websocket.BinaryMessage, []byte("before")))
	w, err := c.NextWriter(websocket.BinaryMessage)
	must(t, err)
	for part := range slices.Chunk(want, 1000) {
		_, err := w.Write(part)
		must(t, err)
		// A control frame may stand between fragments (RFC 6455 section 5.4).
		must(t, c.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience)))
	}
	must(t, w.Close())
	for _, want := range [][]byte{[]byte("before"), want} {
		_, got, err := c.ReadMessage()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes, %v, want %d", len(got), err, len(want))
		}
	}
}

func TestGorillaPingsAreAnsweredWithTheirData(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t)
	c := dialGorilla(t, url)
	var pongs []string
	c.SetPongHandler(func(data string) error { pongs = append(pongs, data); return nil })
	full := strings.Repeat("p", 125)
	for _, data := range []string{"", "one", full} {
		must(t, c.WriteControl(websocket.PingMessage, []byte(data), time.Now().Add(patience)))
	}
	must(t, c.WriteMessage(websocket.TextMessage, []byte("after")))
	_, _, err := c.ReadMessage()
	must(t, err)
	if len(pongs) != 3 || pongs[1] != "one" || pongs[2] != full {
		t.Errorf("pongs %q", pongs)
	}
}

func TestServerPingsKeepAnIdleClientOpen(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--ping-interval", "1s") // also how long an answer may take
	c := dialGorilla(t, url)
	pings := 0
	answer := c.PingHandler()
	c.SetPingHandler(func(data string) error {
		if err := answer(data); err != nil {
			return err
		}
		if pings++; pings < 3 {
			return nil
		}
		return c.WriteMessage(websocket.TextMessage, []byte("enough"))
	})
	if _, got, err := c.ReadMessage(); err != nil || string(got) != "enough" {
		t.Errorf("after %d pings: %q, %v", pings, got, err)
	}
}

func TestServerPingsEndADeadClient(t *testing.T) {
	t.Parallel()
	_, url := startEcho(t, "--ping-interval", "50ms")
	c := dialGorilla(t, url)
	c.SetPingHandler(func(string) error { return nil })
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	_, _, err := c.ReadMessage()
	if err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %v, want the connection's end", err)
	}
}

func TestGorillaCloseCodes(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name string
		raw  []byte // one whole masked frame, with a mask of zeros
		want int
	}{
		{"1000 is answered with 1000", []byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8}, 1000},
		{"4001 with a reason is answered with 4001", append([]byte{0x88, 0x85, 0, 0, 0, 0, 0x0f, 0xa1}, "bye"...), 4001},
		{"empty close is answered with an empty one", []byte{0x88, 0x80, 0, 0, 0, 0}, 1005},
		{"reserved opcode is 1002", []byte{0x83, 0x80, 0, 0, 0, 0}, 1002},
		{"reserved bit is 1002", []byte{0xc1, 0x80, 0, 0, 0, 0}, 1002},
		{"unmasked frame is 1002", []byte{0x81, 0x01, 'x'}, 1002},
		{"fragmented ping is 1002", []byte{0x09, 0x80, 0, 0, 0, 0}, 1002},
		{"continuation of nothing is 1002", []byte{0x80, 0x80, 0, 0, 0, 0}, 1002},
		{"close code 1005 on the wire is 1002", []byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed}, 1002},
		{"text that is no UTF-8 is 1007", []byte{0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28}, 1007},
		{"message above --max-payload is 1009", []byte{0x82, 0xfe, 0x10, 0x01, 0, 0, 0, 0}, 1009},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, url := startEcho(t, "--max-payload", "4KiB")
			c := dialGorilla(t, url)
			_, err := c.UnderlyingConn().Write(x.raw)
			must(t, err)
			must(t, c.SetReadDeadline(time.Now().Add(patience)))
			if code := readClose(t, c); code != x.want {
				t.Errorf("close code %d, want %d", code, x.want)
			}
		})
	}
}

// TestClientThatDoesNotReadIsHeldBackAndLosesNothing: the server stops reading
// from a client that doesn't take its answers, so that the client's own writes
// block long before all is sent; once it reads, all comes in order.
func TestClientThatDoesNotReadIsHeldBackAndLosesNothing(t *testing.T) {
	t.Parallel()
	const messages, bytesEach = 1024, 64 << 10
	_, url := startEcho(t, "--max-outbox", "2MiB", "--rcvbuf", "64KiB", "--sndbuf", "64KiB")
	c := dialGorilla(t, url)
	var sent atomic.Int64
	failed := make(chan error, 1)
	go func() {
		data := random(bytesEach)
		for i := range messages {
			binary.BigEndian.PutUint32(data, uint32(i))
			if err := c.WriteMessage(websocket.BinaryMessage, data); err != nil {
				failed <- err
				return
			}
			sent.Add(1)
		}
		failed <- nil
	}()
	held := waitForStandstill(t, &sent)
	if held == messages {
		t.Fatalf("all %d MiB were taken from a client that reads nothing", messages*bytesEach>>20)
	}
	t.Logf("held back after %d KiB", held*bytesEach>>10)
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	for i := range messages {
		_, data, err := c.ReadMessage()
		must(t, err)
		if got := binary.BigEndian.Uint32(data); got != uint32(i) || len(data) != bytesEach {
			t.Fatalf("message %d has number %d and %d bytes", i, got, len(data))
		}
	}
	must(t, <-failed)
}

// waitForStandstill returns the count once it has stopped growing.
func waitForStandstill(t *testing.T, n *atomic.Int64) int64 {
	t.Helper()
	last, since := int64(-1), time.Now()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if now := n.Load(); now != last {
			last, since = now, time.Now()
		} else if now > 0 && time.Since(since) > time.Second {
			return now
		}
	}
	t.Fatal("the count grows and grows")
	return 0
}
