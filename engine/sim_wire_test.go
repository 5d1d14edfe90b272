//go:build unix

package engine

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/roost-ws/roost/codec"
)

const (
	errReset    = syscall.ECONNRESET
	errTimedOut = syscall.ETIMEDOUT
)

// peerReads lets some peer read some of what the engine wrote.
func (w *world) peerReads() {
	p := w.anyPeer()
	if p == nil || !p.polite && !w.chance(4) {
		return
	}
	n := len(p.ep.out)
	if n > 0 && !w.chance(2) {
		n = 1 + w.rng.IntN(n)
	}
	p.read(n)
}

func (p *simPeer) readAll() { p.read(len(p.ep.out)) }

func (p *simPeer) read(n int) {
	s := p.ep
	p.wire = append(p.wire, s.out[:n]...)
	s.out = append([]byte(nil), s.out[n:]...)
	if s.lacked && len(s.out) < s.size && s.fd >= 0 {
		s.lacked = false
		s.raise(writeEdge)
	}
	for p.w.failure == "" && p.parse() {
	}
	if s.shut && len(s.out) == 0 && !p.over && (p.polite || p.w.chance(2)) {
		p.over, p.fin = true, true // FIN for FIN
		p.blame("the peer answers FIN", true)
	}
}

// parse takes one answer or frame off the wire.
func (p *simPeer) parse() bool {
	if p.status == 0 {
		return p.parseAnswer()
	}
	if p.status != 101 {
		p.wire = nil // the body
		return false
	}
	// Written anew, so that codec's parser is not its own witness.
	b := p.wire
	if len(b) < 2 {
		return false
	}
	fin, squeezed := b[0]&0x80 != 0, b[0]&0x40 != 0
	op, size, at := codec.Opcode(b[0]&0x0f), int(b[1]), 2
	switch {
	case b[0]&0x30 != 0 || squeezed && (!p.z.agreed || op != codec.Text && op != codec.Binary) || b[1]&0x80 != 0:
		p.w.fail("peer %d: a frame begins with %x", p.id, b[:2])
		return false
	case size == 126 && len(b) >= 4:
		size, at = int(b[2])<<8|int(b[3]), 4
	case size == 127 && len(b) >= 10:
		size, at = int(b[6])<<24|int(b[7])<<16|int(b[8])<<8|int(b[9]), 10
	case size > 125:
		return false
	}
	if len(b) < at+size {
		return false
	}
	payload := b[at : at+size]
	p.wire = b[at+size:]
	p.squeezed = p.squeezed || squeezed
	p.got(fin, op, payload)
	return true
}

func (p *simPeer) parseAnswer() bool {
	end := bytes.Index(p.wire, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	if _, err := fmt.Sscanf(string(p.wire), "HTTP/1.1 %d ", &p.status); err != nil {
		p.w.fail("peer %d: the answer is %q", p.id, p.wire[:end])
	}
	p.w.log("peer %d is answered %d", p.id, p.status)
	if p.status == http.StatusServiceUnavailable && p.w.e.cfg.MemoryBudget > 0 {
		p.cause("no memory to be let in")
	}
	if p.status == 101 && !p.opened {
		p.w.fail("peer %d: 101, and Open was not called", p.id)
	}
	p.agree(string(p.wire[:end]))
	p.wire = p.wire[end+4:]
	return true
}

// got takes one frame.
func (p *simPeer) got(fin bool, op codec.Opcode, payload []byte) {
	if p.goodbye {
		p.w.fail("peer %d: opcode %d behind the close frame", p.id, op)
		return
	}
	switch op {
	case codec.Ping:
		if !p.over && !p.closed {
			p.frame(codec.Pong, true, 0, payload)
		}
	case codec.Pong:
		if string(payload) == "unasked" {
			return
		}
		for p.ponged < len(p.pings) && p.pings[p.ponged] != string(payload) {
			if p.w.s.policy.slow == SlowDrop {
				p.ponged++ // no room for that one's
				continue
			}
			p.w.fail("peer %d: pong %q, and ping %d was %q", p.id, payload, p.ponged, p.pings[p.ponged])
			return
		}
		p.ponged++
	case codec.Close:
		p.gotClose(payload)
	case codec.Text, codec.Binary:
		if p.op != 0 {
			p.w.fail("peer %d: a message within a message", p.id)
		}
		p.op, p.message = op, append([]byte(nil), payload...)
	case codec.Continuation:
		if p.op == 0 {
			p.w.fail("peer %d: a fragment of nothing", p.id)
		}
		p.message = append(p.message, payload...)
	default:
		p.w.fail("peer %d: opcode %d", p.id, op)
	}
	if op < codec.Close && fin {
		if p.squeezed {
			p.squeezed, p.message = false, p.inflate(p.message)
		}
		p.gotMessage(string(p.message), p.op == codec.Binary)
		p.op, p.message = 0, nil
	}
}

func (p *simPeer) gotMessage(data string, bin bool) {
	if strings.HasPrefix(data, "t") {
		p.gotPublished(data)
		return
	}
	if len(p.want) == 0 {
		p.w.fail("peer %d: message %.20q was not sent to it", p.id, data)
		return
	}
	if p.want[0].data != data || p.want[0].binary != bin {
		p.w.fail("peer %d: message %.20q of %d bytes (binary %v), want %.20q of %d (%v)", p.id, data, len(data), bin,
			p.want[0].data, len(p.want[0].data), p.want[0].binary)
		return
	}
	p.want = p.want[1:]
}

// gotClose wants all that was sent before to be there.
func (p *simPeer) gotClose(payload []byte) {
	p.goodbye = true
	p.w.log("peer %d gets close", p.id)
	if n := p.missing(); n > 0 && !p.hungUpOn(payload) {
		p.w.fail("peer %d: close came before %d messages sent to it, the first %.20q", p.id, n, p.want[0].data)
	}
	if p.polite && !p.over {
		p.sayClose(CodeNormal)
	}
}

// missing is how many whole messages sent to p have not come.
func (p *simPeer) missing() int {
	if p.partial {
		return len(p.want) - 1
	}
	return len(p.want)
}

// tune is what a peer knows of a topic: of which numbers it gets which.
type tune struct {
	spans []membership
}

// membership is one membership: messages from to below to, -1 while it lasts.
type membership struct{ from, to, next int }

func (p *simPeer) gotPublished(data string) {
	var topic, n int
	if _, err := fmt.Sscanf(data, "t%d/%d/", &topic, &n); err != nil || data != published(topic, n) {
		p.w.fail("peer %d: published %.20q: %v", p.id, data, err)
		return
	}
	if len(p.want) > 0 && n >= p.want[0].before[topic] {
		p.w.fail("peer %d: message %d of topic %d came before what was sent before it: %.20q", p.id, n, topic, p.want[0].data)
	}
	t := &p.tunes[topic]
	for len(t.spans) > 0 {
		s := &t.spans[0]
		if n >= s.next && (s.to < 0 || n < s.to) {
			if n != s.next && !p.w.drops(topic) {
				break
			}
			s.next = n + 1
			p.w.got[topic]++
			return
		}
		if s.to < 0 {
			break
		}
		t.spans = t.spans[1:]
	}
	p.w.fail("peer %d: message %d of topic %d, which has %d: %+v", p.id, n, topic, p.w.counts[topic], t.spans)
}

// published is a topic's message n. Every other one is too small for most to compress.
func published(topic, n int) string {
	size := n * n * 37 % 3000
	if n%2 == 0 {
		size %= 100
	}
	return filled(fmt.Sprintf("t%d/%d/", topic, n), size)
}
