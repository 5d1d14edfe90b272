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
}

// writes begins a message in parts, goes on with it, or ends it.
func (p *simPeer) writes() {
	w, c := p.w, p.c
	if p.writer == nil {
		m := said{data: fmt.Sprintf("s%d/%d/", p.id, p.serial), binary: w.chance(2)}
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
	if !p.refused(err, len(data)) {
		p.writer.m.data += data
	}
}

// endWriter sends what waited: it is now behind the message.
func (p *simPeer) endWriter() {
	wr := p.writer
	p.writer = nil
	err := wr.w.Close()
	p.w.log("peer %d: the writer's Close: %v", p.id, err)
	if errors.Is(err, ErrOutboxFull) {
		p.cause("a message without an end")
	} else if !p.refused(err, 0) {
		p.want = append(append(p.want, wr.m), wr.behind...)
		if p.partial = wr.partial; p.partial {
			p.parts = []byte(p.want[len(p.want)-1].data)
		}
	}
	if err := wr.w.Close(); !errors.Is(err, io.ErrClosedPipe) {
		p.w.fail("peer %d: the writer's second Close: %v", p.id, err)
	}
}
