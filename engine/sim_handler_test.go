//go:build unix

package engine

import (
	"errors"
	"fmt"

	"github.com/roost-ws/roost/codec"
)

// handler checks the order and content of the calls, and does in each of them whatever
// a user may do.
func (w *world) handler() Handler {
	return Handler{
		Open: func(c *Conn, r *Request) {
			p := w.opens(c, r)
			defer p.enter("Open")()
			p.behave()
		},
		Message: func(c *Conn, m Message) {
			p := w.of(c)
			defer p.enter("Message")()
			p.hears(m)
			p.behave()
		},
		Ping: func(c *Conn, data []byte) {
			p := w.of(c)
			defer p.enter("Ping")()
			p.behave()
		},
		Pong: func(c *Conn, data []byte) {
			p := w.of(c)
			defer p.enter("Pong")()
			p.behave()
		},
		Drain: func(c *Conn) {
			p := w.of(c)
			defer p.enter("Drain")()
			p.behave()
		},
		Error: func(c *Conn, err error) {
			p := w.of(c)
			defer p.enter("Error")()
			p.errs(err)
			p.behave()
		},
		Close: func(c *Conn, code CloseCode, reason string) {
			p := w.of(c)
			defer p.enter("Close")()
			p.closes(code, reason)
			p.behave()
		},
	}
}

// nobody takes calls that belong to no peer, so that the run can go on to its report.
func (w *world) nobody() *simPeer { return &simPeer{w: w, ep: &endpoint{w: w, fd: -1}} }

func (w *world) opens(c *Conn, r *Request) *simPeer {
	var id int
	if _, err := fmt.Sscanf(r.Path(), "/p/%d", &id); err != nil || id >= len(w.peers) {
		w.fail("Open with path %q", r.Path())
		return w.nobody()
	}
	p := w.peers[id]
	if p.opened || p.ep.fd != int(c.fd) {
		w.fail("peer %d: Open twice, or on the wrong descriptor", id)
	}
	p.c, p.opened = c, true
	c.SetData(p)
	return p
}

func (w *world) of(c *Conn) *simPeer {
	p, ok := c.Data().(*simPeer)
	if !ok {
		w.fail("fd %d: a call before Open", c.fd)
		return w.nobody()
	}
	return p
}

// enter notes that a callback runs; what it returns notes its end.
func (p *simPeer) enter(name string) (leave func()) {
	p.w.log("peer %d: %s", p.id, name)
	if p.inside != "" {
		p.w.fail("peer %d: %s during %s", p.id, name, p.inside)
	}
	if p.shut {
		p.w.fail("peer %d: %s after Close", p.id, name)
	}
	switch name {
	case "Message", "Ping", "Pong":
		if p.paused && !p.c.is(flagBroken) {
			p.w.fail("peer %d: %s while paused", p.id, name)
		}
	}
	p.inside = name
	return func() { p.inside = "" }
}

// hears checks that messages come whole, in order and once.
func (p *simPeer) hears(m Message) {
	if p.heard >= len(p.said) {
		p.w.fail("peer %d: message %.20q, and only %d were said", p.id, m.Data, len(p.said))
		return
	}
	want := p.said[p.heard]
	if string(m.Data) != want.data || m.Binary != want.binary {
		p.w.fail("peer %d: message %d is %.20q of %d bytes, want %.20q of %d", p.id, p.heard, m.Data, len(m.Data), want.data, len(want.data))
	}
	p.heard++
	for i := range m.Data {
		m.Data[i] = '#' // it may be changed
	}
}

func (p *simPeer) errs(err error) {
	var full *OutboxError
	var broke *codec.Error
	var behind *BehindError
	switch {
	case errors.Is(err, ErrMemory):
		p.unloaded(err)
	case errors.As(err, &behind):
		p.fellBehind(behind)
	case errors.As(err, &full):
		if full.Queued+full.Size <= full.Limit {
			p.w.fail("peer %d: %v", p.id, err)
		}
		p.cause("outbox full")
	case errors.Is(err, ErrStalled):
		if !p.full {
			p.w.fail("peer %d: stalled, and always had room", p.id)
		}
		p.cause("stalled")
	case errors.As(err, &broke):
		if !p.has("the peer breaks the protocol") {
			p.w.fail("peer %d: %v", p.id, err)
		}
	default:
		p.w.fail("peer %d: error %v", p.id, err)
	}
}

func (p *simPeer) has(what string) bool {
	for _, c := range p.causes {
		if c.what == what {
			return true
		}
	}
	return false
}

// closes checks what the end was told to be, and that nothing was left unsaid.
func (p *simPeer) closes(code CloseCode, reason string) {
	p.shut = true
	switch {
	case code == CodeAbnormal:
	case !p.closed || code != p.code || reason != p.reason:
		p.w.fail("peer %d: closed with %d %q, want %d %q", p.id, code, reason, p.code, p.reason)
	}
	if len(p.dones) > 0 {
		p.w.fail("peer %d: Close before Done of %v", p.id, p.dones)
	}
	if p.c.is(flagKilled|flagFailed) || p.arrived < 0 {
		return
	}
	for _, m := range p.said[p.heard:] {
		if m.end <= p.arrived {
			p.w.fail("peer %d: closed in order, and message %.20q that came was not delivered", p.id, m.data)
		}
	}
}

// behave does in a callback what users do.
func (p *simPeer) behave() {
	w := p.w
	if !w.faults || w.failure != "" || p.c == nil {
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	for w.chance(2) {
		w.call(p, false)
	}
	w.meddle("a callback") // it may block
	if w.chance(80) {
		p.cause("panic")
		w.panics++
		w.log("peer %d: panic", p.id)
		p.inside = ""
		panic("simulated")
	}
}
