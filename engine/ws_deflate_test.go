//go:build unix

package engine

import (
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// deflated is a connection with permessage-deflate, whose answer params is.
func (j *journal) deflated(t testing.TB, s *Server, offer, answer string) (*peer, *Conn) {
	t.Helper()
	p := connect(t, s)
	p.write(request(get, "Sec-WebSocket-Extensions: "+offer))
	if got := p.switched().Header.Get("Sec-WebSocket-Extensions"); got != answer {
		t.Fatalf("answer %q, want %q", got, answer)
	}
	c := j.conn(t)
	j.want(t, "open")
	return p, c
}

// inflate reads one message, and how many bytes it took.
func (p *peer) inflate(z *codec.Flate, w *codec.Window) (text string, size int, fragments []codec.Header) {
	p.t.Helper()
	var in []byte
	for {
		h, payload := p.frame()
		in = append(in, payload...)
		fragments = append(fragments, h)
		if h.Fin {
			break
		}
	}
	if fragments[0].Rsv != rsv1 {
		return string(in), len(in), fragments
	}
	var b codec.Bytes
	out, err := z.Inflate(in, 15, w, 1<<20, &b)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(out), len(in), fragments
}

// Scenario 52: with takeover the second message finds the first.
func TestTakeoverShortensTheSecondMessage(t *testing.T) {
	t.Parallel()
	for _, takeover := range []bool{true, false} {
		j := newJournal()
		o := &DeflateOptions{Threshold: -1}
		answer := "permessage-deflate"
		if !takeover {
			o.ServerNoContextTakeover = codec.True
			answer += "; server_no_context_takeover"
		}
		s := serve(t, ServerOptions{Handler: j.handler(), PerMessageDeflate: o})
		p, c := j.deflated(t, s, "permessage-deflate", answer)
		z, w := codec.NewFlate(1, 1), new(codec.Window)
		text := "the quick brown fox jumps over the lazy dog, 0123456789"
		var sizes [2]int
		for i := range sizes {
			if err := c.SendText(text); err != nil {
				t.Fatal(err)
			}
			got, n, _ := p.inflate(z, w)
			if got != text {
				t.Fatalf("%q", got)
			}
			sizes[i] = n
		}
		if takeover != (sizes[1] < sizes[0]/2) || !takeover && sizes[0] != sizes[1] {
			t.Errorf("takeover %v: %v bytes", takeover, sizes)
		}
	}
}

// Scenarios 56 to 58: the first fragment decides for its message; the threshold counts
// only without takeover.
func TestThresholdAndFragments(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		threshold int
		takeover  bool
		parts     []string
		rsv       byte
	}{
		{3, false, []string{"123", "12"}, rsv1},
		{3, false, []string{"12", "123"}, 0},
		{3, true, []string{"12", "1"}, rsv1},
		{0, false, []string{"shorter than 1024"}, 0},
		{0, true, []string{"shorter than 1024"}, rsv1},
		{-1, false, []string{"", "x", ""}, rsv1},
		{-1, false, []string{""}, rsv1},
	} {
		j := newJournal()
		o := &DeflateOptions{Threshold: tc.threshold}
		answer := "permessage-deflate"
		if !tc.takeover {
			o.ServerNoContextTakeover = codec.True
			answer += "; server_no_context_takeover"
		}
		s := serve(t, ServerOptions{Handler: j.handler(), PerMessageDeflate: o})
		p, c := j.deflated(t, s, "permessage-deflate", answer)
		for i, part := range tc.parts {
			if err := c.SendWith(Opcode(1+i%2), []byte(part), SendOptions{More: i < len(tc.parts)-1}); err != nil {
				t.Fatal(err)
			}
		}
		got, _, fragments := p.inflate(codec.NewFlate(1, 1), new(codec.Window))
		if got != strings.Join(tc.parts, "") || len(fragments) != len(tc.parts) || fragments[0].Rsv != tc.rsv || fragments[0].Opcode != Text {
			t.Errorf("%+v: %q %+v", tc, got, fragments)
		}
		for _, h := range fragments[1:] {
			if h.Rsv != 0 || h.Opcode != codec.Continuation {
				t.Errorf("%+v: %+v", tc, h)
			}
		}
		if last := fragments[len(fragments)-1]; tc.parts[len(tc.parts)-1] == "" && last.Length != 1 {
			t.Errorf("%+v: an empty end of %d bytes", tc, last.Length)
		}
		// NoCompress leaves a message as it is.
		if err := c.SendWith(Text, []byte(strings.Repeat("a", 2000)), SendOptions{NoCompress: true}); err != nil {
			t.Fatal(err)
		}
		if h, _ := p.frame(); h.Rsv != 0 || h.Length != 2000 {
			t.Errorf("%+v: %+v", tc, h)
		}
		p.conn.Close()
	}
}

// Scenarios 59 and 61 to 65: compression is done when a send returns and inflation
// before the next frame is looked at, so nothing can overtake it.
func TestCompressedMessagesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Message = func(c *Conn, m Message) {
			j.note("%s", m.Data)
			if len(m.Data) > 0 && m.Data[0] == '2' {
				_ = c.Close(1000, "")
			}
		}
		h.Open = func(c *Conn, r *Request) {
			j.note("open")
			j.conns <- c
			if r.Path() == "/close" {
				for range 4 {
					_ = c.SendText(strings.Repeat("a", 2000))
				}
				_ = c.Close(1000, "")
			}
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h, PerMessageDeflate: &DeflateOptions{}})
		p := connect(t, s)
		p.write(request("GET /close HTTP/1.1", "Sec-WebSocket-Extensions: permessage-deflate"), closeOf(1000, ""))
		p.switched()
		z, w := codec.NewFlate(1, 1), new(codec.Window)
		for range 4 {
			if got, _, f := p.inflate(z, w); got != strings.Repeat("a", 2000) || f[0].Rsv != rsv1 {
				t.Fatalf("%q %v", got, f)
			}
		}
		p.want("close 1000")
		p.conn.Close()
		j.conn(t)
		j.want(t, "open", "close 1000")

		// All of the peer's messages are delivered before what it did next, and after
		// our own close too.
		for _, end := range []string{"close 1000", "close 1006"} {
			p, _ := j.deflated(t, s, "permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover")
			var wire []byte
			for _, m := range []string{"1", "2", "3", "4"} {
				payload := z.Compress(nil, []byte(m), 15, nil, true)
				wire = append(wire, codec.AppendFrame(nil, codec.Header{Opcode: Text, Fin: true, Rsv: rsv1, Masked: true, Length: int64(len(payload))}, payload)...)
			}
			if end == "close 1000" {
				wire = append(append(wire, closeOf(1000, "")...), frameOf(Text, "behind the close frame")...)
			}
			p.write(wire)
			p.fin()
			j.want(t, "1", "2", "3", "4", end)
		}
	})
}
