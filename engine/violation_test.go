//go:build unix

package engine

import (
	"errors"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// frameWith is a frame with any header, masked unless told otherwise.
func frameWith(h codec.Header, payload string, unmasked ...bool) []byte {
	h.Masked = len(unmasked) == 0
	return codec.AppendFrame(nil, h, []byte(payload))
}

// The table of violations in Node's ws: the peer is told the code, the handler is
// told the error once and then 1006.
func TestViolations(t *testing.T) {
	t.Parallel()
	fin := func(op Opcode) codec.Header { return codec.Header{Opcode: op, Fin: true} }
	cases := []struct {
		name  string
		write []byte
		peer  string
		id    string
	}{
		{"RSV1", frameWith(codec.Header{Opcode: Text, Fin: true, Rsv: 4}, "x"), "close 1002", "WS_ERR_UNEXPECTED_RSV_1"},
		{"RSV2", frameWith(codec.Header{Opcode: Text, Fin: true, Rsv: 2}, "x"), "close 1002", "WS_ERR_UNEXPECTED_RSV_2_3"},
		{"RSV3", frameWith(codec.Header{Opcode: codec.Ping, Fin: true, Rsv: 1}, "x"), "close 1002", "WS_ERR_UNEXPECTED_RSV_2_3"},
		{"lone continuation", frameWith(fin(codec.Continuation), "x"), "close 1002", "WS_ERR_INVALID_OPCODE"},
		{"message in a message", append(partOf(Text, "a"), frameOf(Binary, "b")...), "close 1002", "WS_ERR_INVALID_OPCODE"},
		{"opcode 3", frameWith(fin(3), ""), "close 1002", "WS_ERR_INVALID_OPCODE"},
		{"opcode 15", frameWith(fin(15), ""), "close 1002", "WS_ERR_INVALID_OPCODE"},
		{"ping in parts", frameWith(codec.Header{Opcode: codec.Ping}, ""), "close 1002", "WS_ERR_EXPECTED_FIN"},
		{"long ping", frameWith(fin(codec.Ping), string(make([]byte, 126))), "close 1002", "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH"},
		{"close of one byte", frameWith(fin(codec.Close), "x"), "close 1002", "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH"},
		{"unmasked", frameWith(fin(Text), "x", true), "close 1002", "WS_ERR_EXPECTED_MASK"},
		{"text that is none", frameWith(fin(Text), "\xce\xba\xe1\xbd"), "close 1007", "WS_ERR_INVALID_UTF8"},
		{"reason that is none", frameWith(fin(codec.Close), "\x03\xe8\xff"), "close 1007", "WS_ERR_INVALID_UTF8"},
		{"close 0", frameWith(fin(codec.Close), "\x00\x00"), "close 1002", "WS_ERR_INVALID_CLOSE_CODE"},
		{"close 1005", frameWith(fin(codec.Close), "\x03\xed"), "close 1002", "WS_ERR_INVALID_CLOSE_CODE"},
		{"close 1006", frameWith(fin(codec.Close), "\x03\xee"), "close 1002", "WS_ERR_INVALID_CLOSE_CODE"},
		{"close 2999", frameWith(fin(codec.Close), "\x0b\xb7"), "close 1002", "WS_ERR_INVALID_CLOSE_CODE"},
		{"close 5000", frameWith(fin(codec.Close), "\x13\x88"), "close 1002", "WS_ERR_INVALID_CLOSE_CODE"},
	}
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		for _, tc := range cases {
			t.Run(tc.name, func(t *testing.T) {
				p, c := j.opened(t, s)
				// A message before it, and anything behind it, in one segment.
				p.write(frameOf(Text, "before"), tc.write, frameOf(Text, "after"), []byte("\xff\xff\xff\xff"))
				p.want(tc.peer)
				p.end() // FIN does not wait for an answer
				p.text("more")
				p.fin()
				j.want(t, "text before", "error "+tc.id, "close 1006")
				if err := c.SendText("x"); !errors.Is(err, ErrNotOpen) {
					t.Errorf("send after a violation: %v", err)
				}
			})
		}
	})
}

// A violation after our own close frame sends no second one, and does not hang.
func TestViolationWhileClosing(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		p, c := j.opened(t, s)
		if err := c.Close(1000, ""); err != nil {
			t.Fatal(err)
		}
		p.want("close 1000")
		p.write([]byte{0xff, 0x80, 0, 0, 0, 0})
		p.end()
		p.fin()
		j.want(t, "error WS_ERR_UNEXPECTED_RSV_2_3", "close 1006")
	})
}

func TestSkipUTF8Validation(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), SkipUTF8Validation: true})
	p, _ := j.opened(t, s)
	p.write(frameOf(Text, "\xff"), closeOf(1000, "\xfe"))
	p.want("close 1000 \xfe")
	p.fin()
	j.want(t, "text \xff", "close 1000 \xfe")
}

func TestPingAndPong(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		for _, auto := range []bool{true, false} {
			j := newJournal()
			s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), DisableAutoPong: !auto})
			p, c := j.opened(t, s)
			p.write(frameOf(codec.Ping, "data"), frameOf(codec.Ping, ""), frameOf(codec.Pong, "unasked"))
			j.want(t, "ping data", "ping", "pong unasked")
			if auto {
				p.want("pong data", "pong")
			}
			if err := c.Ping([]byte("mine")); err != nil {
				t.Fatal(err)
			}
			p.want("ping mine")
			if err := c.Pong(nil); err != nil {
				t.Fatal(err)
			}
			p.want("pong")
		}
	})
}
