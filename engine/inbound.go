package engine

import "github.com/roost-ws/roost/codec"

// inbound is what must be remembered between two turns of a connection: the
// beginning of a message, and whole bytes that a pause left undecoded. Its loop keeps
// those out of use, so that messages which come in two reads make no garbage.
type inbound struct {
	dec  codec.Decoder
	rest []byte // from the loop's bytes
}

// inbound returns c's, and makes one if it has none. It is the holder's of the turn.
func (c *Conn) inbound() *inbound {
	if c.in == nil {
		if c.in, _ = c.loop.ins.Get().(*inbound); c.in == nil {
			c.in = new(inbound)
		}
	}
	return c.in
}

// dropInbound forgets what c remembers and gives all its memory back. It is for the
// holder of the turn, who has no payload of it any more.
func (c *Conn) dropInbound() {
	in := c.in
	if in == nil {
		return
	}
	c.in = nil
	in.dec.Reset(&c.loop.bytes)
	c.loop.bytes.Put(in.rest)
	in.rest = nil
	c.loop.ins.Put(in)
}
