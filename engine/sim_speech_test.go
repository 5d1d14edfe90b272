//go:build unix

package engine

import (
	"fmt"

	"github.com/roost-ws/roost/codec"
)

// peerActs lets some peer do something.
func (w *world) peerActs() {
	p := w.anyPeer()
	if p == nil || p.over || p.ended {
		return
	}
	if !p.asked {
		p.ask()
		return
	}
	if p.closed {
		if p.goodbye && !p.polite {
			p.leave(false)
		}
		return
	}
	switch n := w.rng.IntN(100); {
	case n < 55:
		p.say()
	case n < 70:
		p.ping()
	case n < 72:
		p.sayClose(pick(w, []CloseCode{CodeNormal, CodeGoingAway, 4000, CodeNoStatus}))
	case n < 75 && !p.polite:
		p.say()
		p.leave(w.chance(2))
	case n < 77 && !p.polite:
		p.violate()
	}
}

// ask sends the request, mostly a good one.
func (p *simPeer) ask() {
	p.asked = true
	if !p.polite && p.w.chance(4) {
		p.cause("bad request")
		p.send([]byte(pick(p.w, []string{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "bad\r\n\r\n", "GET /p/9 HTTP/1.1\r\nUpg"})))
		if p.w.chance(2) {
			p.leave(p.w.chance(2))
		}
		return
	}
	extensions := ""
	if p.z.offer != nil {
		extensions = "Sec-WebSocket-Extensions: " + p.z.offer.Offer() + "\r\n"
	}
	p.send(fmt.Appendf(nil, "GET /p/%d HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", p.id, extensions))
}

// say sends a message, whole or in fragments with control frames between.
func (p *simPeer) say() {
	w := p.w
	size := w.rng.IntN(pick(w, []int{20, 300, 6000, 30_000}))
	data := filled(fmt.Sprintf("p%d/%d/", p.id, len(p.said)), size)
	m := said{data: data, binary: w.chance(2)}
	op := codec.Text
	if m.binary {
		op = codec.Binary
	}
	rest, rsv := p.deflate(data)
	for parts := w.rng.IntN(4); parts > 0; parts-- {
		n := w.rng.IntN(len(rest) + 1)
		p.frame(op, false, rsv, rest[:n])
		rest, op, rsv = rest[n:], codec.Continuation, 0
		if w.chance(3) {
			p.ping()
		}
	}
	p.frame(op, true, rsv, rest)
	m.end = p.sent
	p.said = append(p.said, m)
}

// filled is head with size more bytes that are its own.
func filled(head string, size int) string {
	b := make([]byte, 0, len(head)+size)
	b = append(b, head...)
	for i := range size {
		b = append(b, 'a'+byte((i+len(head)+size)%26))
	}
	return string(b)
}

func (p *simPeer) ping() {
	data := filled(fmt.Sprintf("%d.", len(p.pings)), p.w.rng.IntN(20))
	p.pings = append(p.pings, data)
	p.frame(codec.Ping, true, 0, []byte(data))
}

func (p *simPeer) sayClose(code CloseCode) {
	if p.closed {
		return
	}
	p.closed, p.code, p.reason = true, code, ""
	if code != CodeNoStatus {
		p.reason = filled("", p.w.rng.IntN(10))
	}
	p.blame("the peer says close", true)
	p.frame(codec.Close, true, 0, codec.AppendClose(nil, code, p.reason))
}

// leave ends the connection behind what is in flight.
func (p *simPeer) leave(reset bool) {
	p.over, p.fin, p.reset = true, true, reset
	if reset {
		p.cause("the peer resets")
	} else {
		p.blame("the peer sends FIN", true)
	}
}

func (p *simPeer) violate() {
	p.cause("the peer breaks the protocol")
	p.over = true
	switch p.w.rng.IntN(3) {
	case 0:
		p.send([]byte{0x81, 0x02, 'h', 'i'}) // not masked
	case 1:
		p.send([]byte{0x83, 0x80, 0, 0, 0, 0})
	default:
		p.frame(codec.Text, true, 0, []byte{0xff, 0xfe})
	}
	p.send(make([]byte, p.w.rng.IntN(3000)))
	if p.w.chance(2) {
		p.fin, p.reset = true, p.w.chance(2)
	}
}
