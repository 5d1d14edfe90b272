package engine

import (
	"sync"
	"sync/atomic"

	"github.com/roost-ws/roost/codec"
)

// frame is an encoded frame that many connections send. Whoever keeps it holds a
// reference; its memory goes back with the last.
type frame struct {
	b     []byte
	refs  atomic.Int32
	from  *codec.Bytes
	topic *Topic   // that it was published to
	home  *edition // that it is the plain form of; else nil
}

// newFrame encodes one message, with a reference for the caller.
func newFrame(t *Topic, from *codec.Bytes, h codec.Header, payload []byte) *frame {
	h.Fin, h.Length = true, int64(len(payload))
	f := &frame{topic: t, from: from}
	f.encode(h, payload)
	return f
}

func (f *frame) encode(h codec.Header, payload []byte) {
	f.b = f.from.Get(h.Size() + len(payload))
	f.refs.Store(1)
	codec.AppendFrame(f.b[:0], h, payload)
}

func (f *frame) release() {
	if f.refs.Add(-1) == 0 {
		f.from.Put(f.b)
		f.b = nil
		if f.home != nil {
			f.home.of.p.Put(f.home) // it held a reference to f: nobody else has it
		}
	}
}

// edition is one message in the forms that its receivers need: plain, and
// deflated for each size of window, each encoded once.
type edition struct {
	op    Opcode
	plain frame
	at    int // of the payload in plain.b
	refs  atomic.Int32
	of    *editions

	mu       sync.Mutex
	deflated [16]*frame // by window bits
}

// editions keeps one loop's that are out of use. Any goroutine.
type editions struct{ p sync.Pool }

// newEdition encodes one message, with a reference for the caller.
func (l *loop) newEdition(t *Topic, op Opcode, data []byte) *edition {
	ed, _ := l.eds.p.Get().(*edition)
	if ed == nil {
		ed = &edition{of: &l.eds}
		ed.plain.home, ed.plain.from = ed, &l.bytes
	}
	ed.op, ed.plain.topic = op, t
	ed.plain.encode(codec.Header{Opcode: op, Fin: true, Length: int64(len(data))}, data)
	ed.at = len(ed.plain.b) - len(data)
	ed.refs.Store(1)
	return ed
}

// release gives back what no outbox still refers to.
func (ed *edition) release() {
	if ed.refs.Add(-1) != 0 {
		return
	}
	for i, f := range ed.deflated {
		if f != nil {
			f.release()
			ed.deflated[i] = nil
		}
	}
	ed.plain.release()
}

// form is the frame for c. Compressed ones are made without a history, so that
// all with the same window can share them.
func (ed *edition) form(c *Conn) *frame {
	if !c.is(flagDeflate) || len(ed.plain.b)-ed.at < c.policy.threshold {
		return &ed.plain
	}
	z := c.ext.deflate
	ed.mu.Lock()
	defer ed.mu.Unlock()
	if ed.deflated[z.sendBits] == nil {
		data := ed.plain.b[ed.at:]
		buf := ed.plain.from.Get(codec.CompressBound(len(data)))
		payload := c.policy.flate.Compress(buf[:0], data, z.sendBits, nil, true)
		ed.deflated[z.sendBits] = newFrame(ed.plain.topic, ed.plain.from, codec.Header{Opcode: ed.op, Rsv: rsv1}, payload)
		ed.plain.from.Put(buf)
	}
	return ed.deflated[z.sendBits]
}

// masked is a frame for one client of ours, which must mask it as nobody else does
// (RFC 6455 section 5.3). The reference is the caller's.
func (ed *edition) masked() *frame {
	h := codec.Header{Opcode: ed.op, Masked: true, Mask: newMask()}
	return newFrame(ed.plain.topic, ed.plain.from, h, ed.plain.b[ed.at:])
}
