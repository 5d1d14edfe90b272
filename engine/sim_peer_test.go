//go:build unix

package engine

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/roost-ws/roost/codec"
)

var zeroAddr netip.AddrPort

// peer is a client, and what is known of its connection.
type simPeer struct {
	w      *world
	id     int
	ep     *endpoint
	polite bool // keeps the rules and reads
	faulty bool // the kernel may fail its connection
	born   time.Duration

	// What it sends.
	flight  []byte // on its way
	fin     bool   // behind flight
	reset   bool
	sent    int // bytes put into flight since the beginning
	arrived int // bytes of them that reached the engine's socket
	said    []said
	pings   []string
	asked   bool // the request is sent
	closed  bool // so is a close frame
	code    CloseCode
	reason  string
	z       simDeflate
	over    bool // nothing more is sent

	// What it has read.
	wire     []byte
	status   int
	message  []byte
	op       codec.Opcode
	squeezed bool // the message is compressed
	ponged   int
	goodbye  bool // a close frame came
	ended    bool // FIN or reset
	lost     bool // unread bytes may have been lost

	// What the server knows.
	c          *Conn
	opened     bool
	shut       bool // Close was called
	inside     string
	heard      int // of said
	paused     bool
	want       []said // sent to it and not yet read
	parts      []byte // of a message in fragments
	partial    bool
	writer     *writing
	fragmented bool // a message was sent in fragments, once
	serial     int
	dones      []int
	tickets    int
	tunes      [2]tune
	causes     []cause
	seen       uint32 // as the engine has it
	full       bool   // a write found no room
}

// said is a message and where its last byte is.
type said struct {
	data   string
	binary bool
	end    int
	before [2]int // of what was sent: how much was published by then
}

// cause is why a connection may end.
type cause struct {
	what string
	at   time.Duration
	soft bool // the closing handshake began: the rest must follow in order
}

func (p *simPeer) cause(what string) { p.blame(what, false) }

func (p *simPeer) blame(what string, soft bool) {
	p.w.log("peer %d may end: %s", p.id, what)
	p.causes = append(p.causes, cause{what, p.w.clock, soft})
}

// connect opens a connection: it stands in the backlog.
func (w *world) connect() {
	if len(w.peers) >= 12 {
		return
	}
	p := &simPeer{w: w, id: len(w.peers), polite: !w.chance(3), born: w.clock}
	p.faulty = w.chance(3)
	p.z.offer = w.offers()
	p.ep = &endpoint{w: w, fd: -1, peer: p, size: 1 + w.rng.IntN(pick(w, []int{200, 5000, 40_000}))}
	w.peers = append(w.peers, p)
	w.listener.backlog = append(w.listener.backlog, p.ep)
	w.listener.raise(readEdge)
	w.log("peer %d connects: polite %v, faulty %v, room %d", p.id, p.polite, p.faulty, p.ep.size)
}

// anyPeer may be nil.
func (w *world) anyPeer() *simPeer {
	if len(w.peers) == 0 {
		return nil
	}
	return w.peers[w.rng.IntN(len(w.peers))]
}

// network moves bytes to the engine's sockets.
func (w *world) network() {
	if p := w.anyPeer(); p != nil && p.ep.fd != -2 {
		n := len(p.flight)
		if n > 0 && !w.chance(2) {
			n = 1 + w.rng.IntN(n)
		}
		p.arrive(n)
	}
}

// arrive lets n bytes arrive, and what is behind the last.
func (p *simPeer) arrive(n int) {
	s := p.ep
	if n > 0 {
		s.in = append(s.in, p.flight[:n]...)
		p.flight = p.flight[n:]
		p.arrived += n
		s.raise(readEdge)
	}
	if len(p.flight) > 0 || s.eof || s.err != nil {
		return
	}
	switch {
	case p.reset:
		s.dead = true
		s.err = pick(p.w, []error{errReset, errTimedOut})
		if p.w.chance(3) { // queued data may be lost with the connection, or not
			s.in = nil
			p.cut()
		}
		s.raise(readEdge | writeEdge)
	case p.fin:
		s.eof = true
		s.raise(readEdge)
	}
}

// cut forgets what the engine can not hear any more.
func (p *simPeer) cut() { p.arrived = -1 }

// send puts bytes into flight.
func (p *simPeer) send(b []byte) {
	p.flight = append(p.flight, b...)
	p.sent += len(b)
}

func (p *simPeer) frame(op codec.Opcode, fin bool, rsv byte, payload []byte) {
	h := codec.Header{Opcode: op, Fin: fin, Rsv: rsv, Masked: true, Length: int64(len(payload))}
	binary.LittleEndian.PutUint32(h.Mask[:], p.w.rng.Uint32())
	p.send(codec.AppendFrame(nil, h, payload))
}

// gone tells that the engine closed its descriptor, or never had it.
func (p *simPeer) gone(reset bool) {
	p.ended, p.lost = true, p.lost || reset
	if !p.lost {
		p.readAll()
	}
}
