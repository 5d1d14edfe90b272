//go:build unix

package engine

import (
	"errors"
	"fmt"
	"io"
)

// writing is a message that goes out through a writer, and what waits for its end.
type writing struct {
	w       io.WriteCloser
	m       said
	behind  []said
	partial bool // the last of behind has no end yet
	begun   bool // a fragment was sent
	failed  bool // a Write was refused
}

// writes begins a message in parts, goes on with it, or ends it.
func (p *simPeer) writes() {
	w, c := p.w, p.c
	if p.writer == nil {
		m := said{data: filled(fmt.Sprintf("s%d/%d/", p.id, p.serial), pick(w, []int{0, 0, 2000, 20_000})), binary: w.chance(2)}
		op := Text
		if m.binary {
			op = Binary
		}
		p.serial++
		writer, err := c.NextWriter(op)
		w.log("peer %d: NextWriter: %v", p.id, err)
		switch {
		case errors.Is(err, ErrWriting):
			if !p.partial {
				w.fail("peer %d: nobody writes, and %v", p.id, err)
			}
		case !p.refused(err, 0):
			p.writer, p.fragmented = &writing{w: writer, m: said{binary: m.binary, before: w.counts}}, true
			p.writePart(m.data)
		}
		return
	}
	if w.chance(2) {
		p.writePart(filled("", w.rng.IntN(pick(w, []int{20, 3000, 20_000}))))
		return
	}
	p.endWriter()
}

func (p *simPeer) writePart(data string) {
	n, err := p.writer.w.Write([]byte(data))
	p.w.log("peer %d: Write of %d bytes: %v", p.id, n, err)
	wr := p.writer
	switch {
	case wr.failed:
		if err == nil {
			p.w.fail("peer %d: a Write behind one that was refused", p.id)
		}
	case p.refused(err, len(data)):
		wr.failed = true
		p.unfinished(wr.begun, err)
	default:
		wr.m.data += data
		wr.begun = wr.begun || data != ""
	}
}

// unfinished wants the end of a connection that was sent half a message, of which the
// rest has no room.
func (p *simPeer) unfinished(begun bool, err error) {
	if !begun || !errors.Is(err, ErrOutboxFull) {
		return
	}
	if p.c.ReadyState() == Open {
		p.w.fail("peer %d: open, and half a message was sent: %v", p.id, err)
	}
	p.cause("half a message")
}

// endWriter sends what waited: it is now behind the message.
func (p *simPeer) endWriter() {
	wr := p.writer
	p.writer = nil
	open := p.c.ReadyState() == Open
	err := wr.w.Close()
	p.w.log("peer %d: the writer's Close: %v", p.id, err)
	switch {
	case wr.failed:
		if err == nil {
			p.w.fail("peer %d: a message that was refused is closed", p.id)
		}
	case p.refused(err, 0):
		p.unfinished(wr.begun, err)
	default:
		p.want = append(p.want, wr.m)
	}
	// What waited is given up with the connection, but for one that ended because of it:
	// some of that was sent before.
	if err != nil && p.c.ReadyState() != Open && !(open && wr.failed) {
		wr.behind, wr.partial = nil, false
	}
	p.want = append(p.want, wr.behind...)
	if p.partial = wr.partial; p.partial {
		p.parts = []byte(p.want[len(p.want)-1].data)
	}
	if err := wr.w.Close(); !errors.Is(err, io.ErrClosedPipe) {
		p.w.fail("peer %d: the writer's second Close: %v", p.id, err)
	}
}
