//go:build unix

package loadtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/roost-ws/roost/codec"
)

func containsWord(s, word string) bool { return strings.Contains(s, word) }

// accept reads a handshake and answers it as RFC 6455 asks.
func accept(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	key := codec.AcceptKey(nil, []byte(r.Header.Get("Sec-WebSocket-Key")))
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", key)
}

// readRequest reads a handshake without answering.
func readRequest(c net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(c)) }

func answers(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		readRequest(c)
		_, _ = c.Write([]byte(text))
		_ = c.Close()
	}
}

func TestFailuresOfHandshakesByCause(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		must(t, l.Close())
		return "ws://" + l.Addr().String() + "/"
	}
	raw := func(handle func(*net.TCPConn)) func(*testing.T) string {
		return func(t *testing.T) string { return rawServer(t, handle) }
	}
	var kept []*net.TCPConn
	t.Cleanup(func() {
		for _, c := range kept {
			_ = c.Close()
		}
	})
	for _, c := range []struct {
		cause   string
		example string
		server  func(*testing.T) string
	}{
		{"refused", "refused", refused},
		{"status-503", "503 Service Unavailable", func(t *testing.T) string {
			return serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
		}},
		{"reset", "reset", raw(func(c *net.TCPConn) {
			readRequest(c)
			_ = c.SetLinger(0)
			_ = c.Close()
		})},
		{"closed", "EOF", raw(func(c *net.TCPConn) {
			readRequest(c)
			_ = c.Close()
		})},
		{"handshake-timeout", "timed out", raw(func(c *net.TCPConn) { kept = append(kept, c) })},
		{"bad-accept", "Accept", raw(answers("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"))},
		{"not-http", "", raw(answers("220 mail.example.org ESMTP\r\n\r\n"))},
	} {
		t.Run(c.cause, func(t *testing.T) {
			const conns = 5
			r := runIdle(t, Idle{Options: Options{URL: c.server(t), Conns: conns, Timeout: time.Second}})
			if r.Connections.Opened != 0 || r.Connections.Failed != conns || len(r.Failures) != 1 {
				t.Fatalf("%+v, failures %+v; want %d failed of one cause", r.Connections, r.Failures, conns)
			}
			f := r.Failures[0]
			if f.Cause != c.cause || f.Count != conns || !containsWord(f.Example, c.example) || f.Meaning == "" || f.Remedy == "" {
				t.Errorf("failure %+v, want %d × %s with %q", f, conns, c.cause, c.example)
			}
		})
	}
}

func TestWithoutDescriptorsTheRestFailsWithoutBeingTried(t *testing.T) {
	l := &loop{fullUntil: 10} // without a plan: a try would panic
	if err := l.connect(&conn{since: 9}); err != syscall.EMFILE {
		t.Errorf("error %v, want EMFILE", err)
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	must(t, syscall.Close(pair[1]))
	l.table = make([]*conn, pair[0]+1)
	if l.drop(&conn{fd: int32(pair[0])}); l.fullUntil != 0 {
		t.Errorf("not to be tried until %d, though one was given back", l.fullUntil)
	}
}

func TestFailuresOfOpenConnectionsByCause(t *testing.T) {
	t.Parallel()
	after := func(end func(*net.TCPConn)) func(*testing.T) string {
		return func(t *testing.T) string {
			return rawServer(t, func(c *net.TCPConn) {
				accept(c)
				end(c)
				_ = c.Close()
			})
		}
	}
	for _, c := range []struct {
		cause  string
		server func(*testing.T) string
	}{
		{"lost", after(func(*net.TCPConn) {})},
		{"lost-reset", after(func(c *net.TCPConn) { _ = c.SetLinger(0) })},
		{"protocol", after(func(c *net.TCPConn) { _, _ = c.Write([]byte{0x82, 0x80, 0, 0, 0, 0}) })},
		{"too-big", after(func(c *net.TCPConn) { _, _ = c.Write([]byte{0x82, 127, 0, 0, 0, 0, 0x40, 0, 0, 0}) })},
		{"closed-by-server-1013", func(t *testing.T) string {
			return serve(t, func(c *websocket.Conn) {
				_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1013, "later"), time.Now().Add(soon))
				_, _, _ = c.ReadMessage()
			})
		}},
	} {
		t.Run(c.cause, func(t *testing.T) {
			r := runIdle(t, Idle{Options: Options{URL: c.server(t), Conns: 5}, Hold: 300 * time.Millisecond})
			if r.Connections.Opened != 5 || r.Connections.Lost != 5 || len(r.Failures) != 1 || r.Failures[0].Cause != c.cause {
				t.Errorf("%+v, failures %+v; want 5 × %s", r.Connections, r.Failures, c.cause)
			}
		})
	}
}

func TestTooFewDescriptorsAreNamedAndTheRestIsMeasured(t *testing.T) {
	url := serve(t, echoAll)
	var r Report
	must(t, json.NewDecoder(child(t, "few-descriptors", url)).Decode(&r))
	if len(r.Failures) != 1 || r.Failures[0].Cause != "descriptors" || r.Connections.Failed+r.Connections.Opened != 100 {
		t.Fatalf("%+v, failures %+v; want descriptors", r.Connections, r.Failures)
	}
	if r.Connections.Opened < 20 || r.Connections.Opened > 60 {
		t.Errorf("%d opened with 60 descriptors", r.Connections.Opened)
	}
	if len(r.Notices) == 0 || !containsWord(r.Notices[0].Problem, "descriptors") {
		t.Errorf("notices %+v: nothing about descriptors", r.Notices)
	}
	if m := r.Idle.Memory; m == nil || m.Kernel == nil || m.User == nil {
		t.Errorf("memory %+v: not read at the limit", m)
	}
}

// What tests cannot provoke here is at least told apart.
func TestCausesOfSystemErrors(t *testing.T) {
	for _, c := range []struct {
		was  connState
		err  error
		want cause
	}{
		{connConnecting, syscall.ETIMEDOUT, causeConnectTimeout},
		{connShaking, syscall.ETIMEDOUT, causeAnswerTimeout},
		{connOpen, syscall.ETIMEDOUT, causeLostTimeout},
		{connConnecting, syscall.EADDRNOTAVAIL, causePorts},
		{connConnecting, syscall.ENFILE, causeSystemDescriptors},
		{connConnecting, syscall.ENETUNREACH, causeUnreachable},
		{connConnecting, syscall.ENOBUFS, causeMemory},
		{connConnecting, syscall.EIO, causeOther},
		{connOpen, syscall.EPIPE, causeLostReset},
	} {
		if got, _ := causeOf(c.was, fmt.Errorf("dial: %w", c.err)); got != c.want {
			t.Errorf("%v in state %d: cause %s, want %s", c.err, c.was, causes[got].name, causes[c.want].name)
		}
	}
}

func TestSourceAddressOfAnotherMachineIsNamed(t *testing.T) {
	sources, err := ParseSources("203.0.113.1") // RFC 5737: nobody's
	must(t, err)
	r := runIdle(t, Idle{Options: Options{URL: serve(t, echoAll), Conns: 3, Sources: sources}})
	if len(r.Failures) != 1 || r.Failures[0].Cause != "ports" || r.Failures[0].Count != 3 || !containsWord(r.Failures[0].Remedy, "--source-ip") {
		t.Errorf("failures %+v, want 3 × ports with its remedy", r.Failures)
	}
}

func TestStatusesHaveASentenceOfTheirOwn(t *testing.T) {
	t.Parallel()
	for status, says := range map[int]string{503: "limit of connections", 429: "how fast", 401: "who connects", 418: "other than 101"} {
		url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		r := runIdle(t, Idle{Options: Options{URL: url, Conns: 2}})
		if len(r.Failures) != 1 || r.Failures[0].Cause != fmt.Sprintf("status-%d", status) || !containsWord(r.Failures[0].Meaning, says) || r.Failures[0].Remedy == "" {
			t.Errorf("%d: failures %+v, want %q", status, r.Failures, says)
		}
	}
}
