//go:build unix

package engine

import (
	"encoding/binary"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

func TestR9HeaderBlock(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		for _, buffer := range []int{4 << 10, 64 << 10} {
			cfg.ReadBuffer = buffer
			limit := min(8<<10, buffer)
			s := serve(t, ServerOptions{Config: cfg})
			fits := request(get, "X: "+strings.Repeat("x", limit-len(request(get, "X: "))))
			if len(fits) != limit {
				t.Fatal(len(fits))
			}
			p := connect(t, s)
			p.write(fits)
			p.switched()
			for _, pieces := range []int{1, 3} {
				p = connect(t, s)
				head := []byte(get + "\r\nX: " + strings.Repeat("x", limit-len(get)-5))
				for i := range pieces {
					p.write(head[len(head)*i/pieces : len(head)*(i+1)/pieces])
				}
				if res := p.response(); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
					t.Fatal(res.Status)
				}
				p.end()
			}
		}
	})
}

func TestR9HeaderBlockAsOptionsSay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ max, size, status int }{{1 << 10, 1 << 10, 101}, {1 << 10, 1<<10 + 1, 431}, {32 << 10, 30 << 10, 101}, {-1, 30 << 10, 101}} {
		s := serve(t, ServerOptions{MaxHeader: tc.max})
		p := connect(t, s)
		p.write(request(get, "X: "+strings.Repeat("x", tc.size-len(request(get, "X: ")))))
		if res := p.response(); res.StatusCode != tc.status {
			t.Errorf("MaxHeader %d, %d bytes: %s", tc.max, tc.size, res.Status)
		}
	}
}

func TestR9HandshakeTime(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	modes(t, func(t *testing.T, cfg Config) {
		s := serve(t, ServerOptions{Config: cfg, HandshakeTimeout: limit})
		began := time.Now()
		silent, slow, done := connect(t, s), connect(t, s), join(t, s)
		quit := make(chan bool)
		go func() { // a byte now and then does not extend the time
			for _, b := range []byte(upgradeHead) {
				select {
				case <-quit:
					return
				case <-time.After(limit / 10):
					if _, err := slow.conn.Write([]byte{b}); err != nil {
						return
					}
				}
			}
		}()
		for _, p := range []*peer{silent, slow} {
			if res := p.response(); res.StatusCode != http.StatusRequestTimeout {
				t.Fatal(res.Status)
			}
			p.end()
		}
		if d := time.Since(began); d < limit || d > 10*limit {
			t.Fatalf("408 after %v", d)
		}
		close(quit)
		// Neither says FIN. The descriptors are given back all the same.
		eventually(t, "the descriptors", func() bool { return s.e.Stats().Conns == 1 })
		done.write(frameOf(codec.Ping, "alive"))
		done.want("pong alive")
	})
}

// A length is refused by the header that announces it, before memory is taken.
func TestR9MessageSize(t *testing.T) {
	t.Parallel()
	header := func(op Opcode, fin bool, n int64) []byte {
		return codec.AppendHeader(nil, codec.Header{Opcode: op, Fin: fin, Length: n, Masked: true})
	}
	huge := header(Binary, true, 1<<53-1)
	tooHuge := append([]byte(nil), huge...)
	binary.BigEndian.PutUint64(tooHuge[2:], 1<<53)
	cases := []struct {
		name  string
		write []byte
		id    string
	}{
		{"one frame", header(Text, true, 1025), "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"},
		{"fragments", append(partOf(Text, strings.Repeat("x", 1000)), header(codec.Continuation, true, 25)...), "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"},
		{"huge", huge, "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"},
		{"2^53", tooHuge, "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH"},
	}
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), MaxPayload: 1024})
		for _, tc := range cases {
			p, _ := j.opened(t, s)
			p.write(tc.write)
			p.want("close 1009")
			p.end()
			p.conn.Close()
			j.want(t, "error "+tc.id, "close 1006")
		}
		p, _ := j.opened(t, s)
		p.text(strings.Repeat("x", 1024))
		j.want(t, "text "+strings.Repeat("x", 1024))
	})
}

// Memory follows what has come, not what was announced.
func TestR9AnnouncedIsNotAllocated(t *testing.T) {
	j := newJournal()
	s := serve(t, ServerOptions{Config: Config{Loops: 1}, Handler: j.handler()})
	const conns = 50
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range conns {
		p, _ := j.opened(t, s)
		p.write(codec.AppendHeader(nil, codec.Header{Opcode: Binary, Fin: true, Length: 100 << 20, Masked: true}), make([]byte, 100))
	}
	eventually(t, "the bytes to be read", func() bool { return s.e.Stats().BytesIn >= conns*110 })
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / conns; n > 64<<10 {
		t.Fatalf("%d bytes a connection that announced 100 MiB and sent 100 bytes", n)
	}
}

func TestR9Fragments(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), MaxFragments: 2})
		p, _ := j.opened(t, s)
		p.write(partOf(Text, "a"), frameOf(codec.Ping, ""), frameOf(codec.Continuation, "b"))
		p.want("pong")
		p.write(partOf(Text, ""), partOf(codec.Continuation, ""), frameOf(codec.Continuation, ""))
		p.want("close 1008")
		p.end()
		p.fin()
		j.want(t, "ping", "text ab", "error WS_ERR_TOO_MANY_BUFFERED_PARTS", "close 1006")
	})
}

func TestR9MaxConns(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		cfg.MaxConns = 3
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		for range 3 { // places given back are places again
			var in []*peer
			for range 3 {
				p, _ := j.opened(t, s)
				in = append(in, p)
			}
			out := connect(t, s)
			if res := out.response(); res.StatusCode != http.StatusServiceUnavailable {
				t.Fatal(res.Status)
			}
			out.gone()
			for _, p := range in {
				p.conn.Close()
				j.want(t, "close 1006")
			}
			eventually(t, "the places", func() bool { return s.e.Stats().Conns == 0 })
		}
	})
}

func TestR9MaxConnsPerIP(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), MaxConnsPerIP: 2,
			Verify: func(r *Request) error {
				if r.Path() == "/no" {
					return errors.New("no")
				}
				return nil
			}})
		for _, end := range []func(*peer){(*peer).reset, (*peer).fin, func(p *peer) { p.write(closeOf(1000, "")); p.fin() }} {
			a, _ := j.opened(t, s)
			b := connect(t, s) // one in its handshake counts too
			eventually(t, "the second", func() bool { return s.e.Stats().Conns == 2 })
			out := connect(t, s)
			if res := out.response(); res.StatusCode != http.StatusTooManyRequests {
				t.Fatal(res.Status)
			}
			b.write(request("GET /no HTTP/1.1"))
			if res := b.response(); res.StatusCode != http.StatusUnauthorized {
				t.Fatal(res.Status)
			}
			b.conn.Close()
			end(a)
			receive(t, j.calls, "Close")
			eventually(t, "the places", func() bool { return s.e.Stats().Conns == 0 })
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.remotes) != 0 {
			t.Fatalf("addresses are still counted: %v", s.remotes)
		}
	})
}
