package engine

import (
	"slices"

	"github.com/roost-ws/roost/codec"
)

// Taking out of the middle of an outbox what has not begun to leave: for topics whose
// members are behind, and for connections that end.

// remove drops a shared frame of which nothing is written.
func (o *outbox) remove(i int, b *codec.Bytes) {
	o.size -= len(o.chunks[i].b)
	o.drop(&o.chunks[i], nil, b)
	// The gap goes to the nearer end.
	if i-o.head < len(o.chunks)/2 {
		copy(o.chunks[o.head+1:i+1], o.chunks[o.head:i])
		o.chunks[o.head] = chunk{}
		o.head++
		return
	}
	last := len(o.chunks) - 1
	copy(o.chunks[i:], o.chunks[i+1:])
	o.chunks[last] = chunk{}
	o.chunks = o.chunks[:last]
}

// replace puts f in the place of such a frame.
func (o *outbox) replace(i int, f *frame) {
	old := o.chunks[i]
	f.refs.Add(1)
	o.chunks[i] = chunk{b: f.b, frame: f}
	o.size += len(f.b) - len(old.b)
	o.lag(f, 1)
	o.lag(old.frame, -1)
	old.frame.release()
}

// cut drops what has not begun to leave. Its Done functions keep their place in the
// line, and so their order.
func (o *outbox) cut(b *codec.Bytes) {
	keep := o.head
	if keep < len(o.chunks) && (o.begun || o.chunks[keep].off > 0) {
		keep++
		for keep < len(o.chunks) && o.chunks[keep].done != nil {
			keep++
		}
	}
	for i := keep; i < len(o.chunks); i++ {
		k := &o.chunks[i]
		if k.done != nil {
			o.chunks[keep] = chunk{done: unsent(k.done)}
			keep++
			continue
		}
		o.size -= len(k.b) - k.off
		o.drop(k, nil, b)
	}
	// The list may have been long, and is of no use any more.
	o.chunks, o.head = slices.Clone(o.chunks[o.head:keep]), 0
	if o.charged != 0 {
		o.charge(b)
	}
}

// unsent is done for a message that was dropped.
func unsent(done func(error)) func(error) { return func(error) { done(ErrUnsent) } }
