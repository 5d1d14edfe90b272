//go:build unix

package loadtest

import (
	"io"
	"log"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	coder "github.com/coder/websocket"

	"github.com/roost-ws/roost/codec"
)

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

func testFlate() *codec.Flate { return codec.NewFlate(1, 1) }

func TestEchoIsDeflatedBothWays(t *testing.T) {
	for name, mode := range map[string]coder.CompressionMode{
		"with context takeover":    coder.CompressionContextTakeover,
		"without context takeover": coder.CompressionNoContextTakeover,
	} {
		plain := serveHTTP(t, compressing(mode))
		secure, trust := serveTLS(t, compressing(mode))
		for _, url := range []string{plain, secure} {
			for size, offer := range map[int]*Deflate{
				300:       {},
				200 << 10: {NoContextTakeover: true, Level: 6},
			} {
				r := runEcho(t, Echo{
					Options: Options{URL: url, Conns: 3, TLS: trust, Deflate: offer},
					Size:    size, InFlight: 3, Text: true, Duration: measured / 3,
				})
				noFailures(t, r)
				if r.Connections.Deflated != 3 || r.Echo.Messages == 0 || r.Echo.Unanswered != 0 {
					t.Errorf("%s, %s, %d B: %d deflated, %+v", name, url, size, r.Connections.Deflated, r.Echo)
				}
			}
		}
	}
}

// What is on the wire is smaller: a proxy counts.
func TestDeflatedBytesAreFewer(t *testing.T) {
	server := serveHTTP(t, compressing(coder.CompressionContextTakeover))
	bytesPerMessage := func(offer *Deflate) float64 {
		addr, count := counting(t, strings.TrimSuffix(strings.TrimPrefix(server, "ws://"), "/"))
		r := runEcho(t, Echo{Options: Options{URL: "ws://" + addr + "/", Conns: 2, Deflate: offer}, Size: 1000, Text: true, Duration: measured})
		noFailures(t, r)
		return float64(count()) / float64(r.Echo.Messages)
	}
	plain, deflated := bytesPerMessage(nil), bytesPerMessage(&Deflate{})
	if plain < 1000 || deflated > 400 {
		t.Errorf("%.0f bytes a message plain and %.0f deflated, want more than 1000 and less than 400", plain, deflated)
	}
}

func TestServerThatLeavesDeflateOffIsMeasuredPlain(t *testing.T) {
	r := runEcho(t, Echo{Options: Options{URL: serve(t, echoAll), Conns: 2, Deflate: &Deflate{}}, Duration: measured})
	noFailures(t, r)
	if r.Connections.Deflated != 0 || r.Echo.Messages == 0 {
		t.Errorf("%d deflated, %+v", r.Connections.Deflated, r.Echo)
	}
}

func TestDeflateThatWasNotOfferedIsRefused(t *testing.T) {
	url := rawServer(t, func(c *net.TCPConn) {
		go func() {
			defer c.Close()
			accept(extending{c})
			_, _ = c.Read(make([]byte, 1))
		}()
	})
	r := runIdle(t, Idle{Options: Options{URL: url, Conns: 2}})
	if len(r.Failures) != 1 || r.Failures[0].Cause != "bad-accept" || r.Failures[0].Count != 2 {
		t.Errorf("failures %+v, want 2 of bad-accept", r.Failures)
	}
}

// counting hands a stream on, and counts what goes back.
func counting(t *testing.T, to string) (addr string, count func() int64) {
	var n atomic.Int64
	url := rawServer(t, func(c *net.TCPConn) {
		up, err := net.Dial("tcp", to)
		if err != nil {
			_ = c.Close()
			return
		}
		go func() {
			defer up.Close()
			_, _ = io.Copy(up, c)
		}()
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, io.TeeReader(up, countingWriter{&n}))
		}()
	})
	return strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/"), n.Load
}

type countingWriter struct{ n *atomic.Int64 }

func (w countingWriter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p)))
	return len(p), nil
}

// extending puts an extension into the handshake that passes.
type extending struct{ net.Conn }

func (e extending) Write(p []byte) (int, error) {
	head := strings.TrimSuffix(string(p), "\r\n") + "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n"
	if _, err := e.Conn.Write([]byte(head)); err != nil {
		return 0, err
	}
	return len(p), nil
}
