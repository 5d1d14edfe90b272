//go:build unix

package engine

import (
	"bytes"
	"reflect"
	"strings"

	"github.com/roost-ws/roost/codec"
)

// simDeflate is a peer's part of permessage-deflate.
type simDeflate struct {
	offer   *codec.DeflateConfig // nil for none
	agreed  bool
	params  codec.DeflateParams
	send    *codec.Window // nil without context takeover
	receive *codec.Window
}

// offers chooses what a side wants of it.
func (w *world) offers() *codec.DeflateConfig {
	if w.chance(3) {
		return nil
	}
	tri := []codec.Tri{codec.Unset, codec.Unset, codec.True}
	bits := []codec.WindowBits{0, 0, 9, 12}
	return &codec.DeflateConfig{
		ServerNoContextTakeover: pick(w, tri), ClientNoContextTakeover: pick(w, tri),
		ServerMaxWindowBits: pick(w, bits), Threshold: pick(w, []int{-1, 0, 100}),
	}
}

// text is filled, or what compresses badly.
func (w *world) text(head string, size int) string {
	if w.s.opts.PerMessageDeflate == nil || w.chance(2) {
		return filled(head, size)
	}
	b := append(make([]byte, 0, len(head)+size), head...)
	for range size {
		b = append(b, ' '+byte(w.rng.IntN(90)))
	}
	return string(b)
}

// agree takes the extension from the server's answer.
func (p *simPeer) agree(head string) {
	for line := range strings.SplitSeq(head, "\r\n") {
		value, ok := strings.CutPrefix(line, "Sec-WebSocket-Extensions: ")
		if !ok {
			continue
		}
		params, ok, err := p.z.offer.Accept(value)
		if err != nil || !ok {
			p.w.fail("peer %d: extensions %q: %v", p.id, value, err)
			return
		}
		p.z.agreed, p.z.params = true, params
		if !params.ClientNoContextTakeover {
			p.z.send = new(codec.Window)
		}
		if !params.ServerNoContextTakeover {
			p.z.receive = new(codec.Window)
		}
	}
}

// deflate is a message's payload, and its first frame's RSV bits.
func (p *simPeer) deflate(data string) (payload []byte, rsv byte) {
	if !p.z.agreed || p.w.chance(3) {
		return []byte(data), 0
	}
	return p.w.flate.Compress(nil, []byte(data), p.z.params.ClientBits, p.z.send, true), rsv1
}

func (p *simPeer) inflate(payload []byte) []byte {
	var lent codec.Bytes
	out, err := p.w.flate.Inflate(payload, p.z.params.ServerBits, p.z.receive, 0, &lent)
	if err != nil {
		p.w.fail("peer %d: a compressed message: %v", p.id, err)
	}
	return out
}

// checkWindow wants what the engine may refer back to, to be the end of what the peer
// has, when all that was sent has come.
func (p *simPeer) checkWindow() {
	c := p.c
	if !p.z.agreed || c.ReadyState() != Open || c.is(flagFragment) || c.unsent()+len(p.ep.out)+len(p.wire) > 0 {
		return
	}
	if ours, its := history(c.ext.deflate.send), history(p.z.receive); !bytes.HasSuffix(its, ours) {
		p.w.fail("peer %d: the %d bytes to refer back to are not the last of the %d that it has", p.id, len(ours), len(its))
	}
}

// history is what w holds. The package that owns it shows it to nobody.
func history(w *codec.Window) []byte {
	if w == nil {
		return nil
	}
	return reflect.ValueOf(w).Elem().Field(0).Bytes()
}
