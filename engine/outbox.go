package engine

import (
	"sync"
	"syscall"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
)

// outbox is output that the kernel does not have yet: chunks in order. It exists
// while there is any, or a turn collects some (R1). Under its Conn's mu, or the
// worker's alone.
type outbox struct {
	chunks []chunk
	head   int    // of chunks; those before are written
	size   int    // bytes not written
	since  uint32 // tick at which the kernel took no more
	acks   []ack  // to be called by the next turn
	sure   int    // of acks: the others are of what is sealed and not all written

	messages, payload int // added since the last turn's end, for Stats

	sealed []byte // TLS records before the chunks, of which off bytes are written
	off    int

	tracked bool  // lags are counted
	begun   bool  // the first of the head's bytes is not a frame's first
	lags    []lag // what is queued of topics that mind
	charged int   // bytes of the list of chunks, as the memory budget has them
}

// ack is a Done function and what it is to be told.
type ack struct {
	done func(error)
	err  error
}

// chunk is a run of bytes, of which the first off are written. It is the outbox's
// own, from the loop's bytes, or a frame shared by many, or the mark of a message
// whose sender wants to be told.
type chunk struct {
	b     []byte
	off   int
	frame *frame
	done  func(error) // of the message that ends here; such a chunk has no bytes
}

// Sizes of own chunks. A turn's output starts in a cork; a connection that keeps
// its output after the turn keeps what fits it.
const (
	minChunk = 512
	corkSize = 16 << 10
	corkMax  = 64 << 10 // a turn's output above it does not wait for the turn's end
)

func (o *outbox) empty() bool { return o.size == 0 }

// newCork returns an outbox with room for a turn's output.
func (l *loop) newCork() *outbox {
	o := l.outs.get()
	l.cork(o)
	return o
}

// cork gives an empty outbox that room.
func (l *loop) cork(o *outbox) {
	o.chunks = append(o.chunks, chunk{b: l.bytes.Get(corkSize)[:0]})
}

// room returns the last chunk when it is the outbox's own and has n bytes free,
// else a new one that grows with what is queued.
func (o *outbox) room(n int, b *codec.Bytes) *chunk {
	if last := len(o.chunks) - 1; last >= o.head {
		if c := &o.chunks[last]; c.frame == nil && c.done == nil && cap(c.b)-len(c.b) >= n {
			return c
		}
	}
	o.push(chunk{b: b.Get(max(n, min(o.size, corkSize), minChunk))[:0]}, b)
	return &o.chunks[len(o.chunks)-1]
}

// push appends k. An outbox that moves, but is never empty, uses its room again.
func (o *outbox) push(k chunk, b *codec.Bytes) {
	n := len(o.chunks)
	if n < cap(o.chunks) {
		o.chunks = append(o.chunks, k)
		return
	}
	if o.head > n/2 {
		n = copy(o.chunks, o.chunks[o.head:])
		clear(o.chunks[n:])
		o.chunks, o.head = o.chunks[:n], 0
	}
	o.chunks = append(o.chunks, k)
	if o.charged != 0 {
		o.charge(b)
	}
}

// add appends the frame that h and payload make.
func (o *outbox) add(h codec.Header, payload []byte, b *codec.Bytes) {
	n := h.Size() + len(payload)
	c := o.room(n, b)
	c.b = codec.AppendFrame(c.b, h, payload)
	o.size += n
}

// share appends f, from its byte off on, and takes a reference.
func (o *outbox) share(f *frame, off int, b *codec.Bytes) {
	f.refs.Add(1)
	o.push(chunk{b: f.b, off: off, frame: f}, b)
	o.size += len(f.b) - off
	if o.tracked {
		o.lag(f, 1)
	}
}

// mark puts done behind what is queued.
func (o *outbox) mark(done func(error), b *codec.Bytes) {
	o.push(chunk{done: done}, b)
}

// write hands the kernel what is queued. The error is EAGAIN when it does not take
// all of it.
func (o *outbox) write(l *loop, fd int) error {
	for o.size > 0 {
		n, want, err := o.writeOnce(l, fd)
		if err != nil {
			return err
		}
		o.wrote(n, &l.bytes)
		if n < want {
			return syscall.EAGAIN
		}
	}
	return nil
}

func (o *outbox) writeOnce(l *loop, fd int) (n, want int, err error) {
	if live := o.chunks[o.head:]; len(live) == 1 {
		p := live[0].b[live[0].off:]
		n, err = l.sys.Write(fd, p)
		return n, len(p), err
	}
	v := l.vecs.get()
	iov := v.iov[:0]
	for i := o.head; i < len(o.chunks) && len(iov) < sock.MaxIOV; i++ {
		p := o.chunks[i].b[o.chunks[i].off:]
		iov = sock.Vec(iov, p)
		want += len(p)
	}
	n, err = l.sys.Writev(fd, iov)
	l.vecs.put(v, iov)
	return n, want, err
}

// wrote gives back what n written bytes finish.
func (o *outbox) wrote(n int, b *codec.Bytes) {
	o.size -= n
	for o.head < len(o.chunks) {
		c := &o.chunks[o.head]
		left := len(c.b) - c.off
		if n < left {
			c.off += n
			return
		}
		n -= left
		if o.size == 0 && o.head == len(o.chunks)-1 && cap(c.b) == corkSize && c.frame == nil {
			// The next turn's output starts in the same chunk.
			o.chunks[0] = chunk{b: c.b[:0]}
			clear(o.chunks[1:])
			o.chunks, o.head, o.begun = o.chunks[:1], 0, false
			return
		}
		o.drop(c, nil, b)
		o.head++
		o.begun = false
	}
	o.chunks, o.head = o.chunks[:0], 0
}

// drop is done with c: written, or err says why not.
func (o *outbox) drop(c *chunk, err error, b *codec.Bytes) {
	switch {
	case c.done != nil:
		o.acks = append(o.acks, ack{c.done, err})
	case c.frame != nil:
		if o.tracked {
			o.lag(c.frame, -1)
		}
		c.frame.release()
	default:
		b.Put(c.b)
	}
	*c = chunk{}
}

// settle moves the last chunk's bytes to where they fit: a connection that does
// not read may keep them for long, and there may be many of its kind.
func (o *outbox) settle(b *codec.Bytes) {
	if o.head == len(o.chunks) {
		return
	}
	last := &o.chunks[len(o.chunks)-1]
	if last.frame != nil || last.done != nil || len(last.b)-last.off > cap(last.b)/2 {
		return
	}
	fit := b.Get(len(last.b) - last.off)
	copy(fit, last.b[last.off:])
	b.Put(last.b)
	o.begun = o.begun || last.off > 0
	*last = chunk{b: fit}
}

// reset drops everything; senders that want to know are to be told.
func (o *outbox) reset(b *codec.Bytes) {
	for i := o.head; i < len(o.chunks); i++ {
		o.drop(&o.chunks[i], ErrUnsent, b)
	}
	if o.sealed != nil {
		for i := min(o.sure, len(o.acks)); i < len(o.acks); i++ {
			o.acks[i].err = ErrUnsent
		}
		b.Put(o.sealed)
	}
	o.uncharge(b)
	*o = outbox{chunks: o.chunks[:0], acks: o.acks}
}

// listRoom is how many chunks an outbox has a list for before it grows: more than a turn
// needs whose replies are each written from where they lie.
const listRoom = 16

// outboxes keeps empty outboxes of one loop, all with lists of the same length: what
// one is charged for to the memory budget must not depend on who had it before, and
// one long queue's list must not stay. Any goroutine.
type outboxes struct{ p sync.Pool }

func (p *outboxes) get() *outbox {
	if o, _ := p.p.Get().(*outbox); o != nil {
		return o
	}
	return &outbox{chunks: make([]chunk, 0, listRoom)}
}

// put takes an outbox that was reset.
func (p *outboxes) put(o *outbox) {
	if cap(o.chunks) == listRoom {
		p.p.Put(o)
	}
}
