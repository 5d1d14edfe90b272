package codec

// minTail is the fewest missing bytes for which reading into the message itself
// is worth a read of its own: below, one read takes the frames behind as well.
const minTail = 4 << 10

// open begins a frame whose payload has to be held.
func (d *Decoder) open(h *Header) {
	d.state |= inFrame
	d.left, d.key, d.pos, d.frameOp = h.Length, h.Mask, 0, h.Opcode
	if h.Opcode&opcodeControl != 0 {
		return
	}
	if h.Opcode != Continuation {
		d.state |= inMessage
		d.op = h.Opcode
		if h.Rsv != 0 {
			d.state |= deflated
		}
	}
	d.frames++
	if h.Fin {
		d.state |= lastFrame
	}
}

// held returns the memory that the open frame's payload goes to.
func (d *Decoder) held() *[]byte {
	if d.frameOp&opcodeControl != 0 {
		return &d.ctl
	}
	return &d.msg
}

// take copies p, the next bytes of the open frame's payload, aside.
func (d *Decoder) take(p []byte, lim *Limits, b *Bytes) *Error {
	if len(p) > 0 {
		d.reserve(len(p), b)
		buf := d.held()
		*buf = append(*buf, p...)
	}
	return d.arrived(len(p), lim)
}

// reserve makes room for n more bytes of the open frame. Memory doubles with
// what has come, by its class or, where classes end, here; a length that was
// only announced never takes any.
func (d *Decoder) reserve(n int, b *Bytes) {
	buf := d.held()
	need := len(*buf) + n
	if need > maxClass && need > cap(*buf) {
		room := 2 * int64(cap(*buf))
		if d.state&lastFrame != 0 { // after another frame there will be more
			room = min(room, int64(len(*buf))+d.left)
		}
		need = max(need, int(room))
	}
	*buf = b.Grow(*buf, need)
}

// arrived takes the last n bytes of the held payload into account: they are as
// they came from the wire, and the open frame's.
func (d *Decoder) arrived(n int, lim *Limits) *Error {
	buf := *d.held()
	if !lim.Client {
		Mask(buf[len(buf)-n:], d.key, int(d.pos))
		d.pos = (d.pos + uint8(n)) & 3
	}
	d.left -= int64(n)
	if d.frameOp&opcodeControl != 0 {
		if d.left == 0 {
			d.state = d.state&^inFrame | ctlReady
		}
		return nil
	}
	end := d.left == 0 && d.state&lastFrame != 0
	if d.op == Text && d.state&deflated == 0 && !lim.SkipUTF8 {
		d.text = readUTF8(d.text, buf[len(buf)-n:])
		if d.text == notUTF8 || end && d.text != betweenRunes {
			return ErrUTF8
		}
	}
	if d.left == 0 {
		d.state &^= inFrame
	}
	if end {
		d.state |= msgReady
	}
	return nil
}

// give returns what is ready, if anything is.
func (d *Decoder) give() (m Message, ok bool) {
	switch {
	case d.state&ctlReady != 0:
		d.state = d.state&^ctlReady | ctlGiven
		return Message{Opcode: d.frameOp, Payload: d.ctl}, true
	case d.state&msgReady != 0:
		m = Message{Opcode: d.op, Compressed: d.state&deflated != 0, Payload: d.msg}
		d.state = msgGiven
		d.frames = 0
		return m, true
	}
	return m, false
}

// Tail returns room in the unfinished message's memory into which the owner may
// read(2) directly, and nil where that makes no sense: no data frame is open, or
// it misses less than 4 KiB. The room is never larger than what the frame
// misses, and grows with what has really come. What Next returned last is no
// longer good. [Decoder.Filled] must follow before another Next.
func (d *Decoder) Tail(b *Bytes) []byte {
	d.Release(b)
	if d.state&(inFrame|dead) != inFrame || d.frameOp&opcodeControl != 0 || d.left < minTail {
		return nil
	}
	if cap(d.msg)-len(d.msg) < minTail {
		d.reserve(minTail, b)
	}
	room := d.msg[len(d.msg):cap(d.msg)]
	return room[:min(int64(len(room)), d.left)]
}

// Filled says that n bytes were put at the front of what Tail returned. If they
// complete the message, the next call of Next returns it, also with an empty in.
// The error is ErrUTF8.
func (d *Decoder) Filled(n int, lim *Limits) error {
	if n == 0 {
		return nil
	}
	d.msg = d.msg[:len(d.msg)+n]
	if e := d.arrived(n, lim); e != nil {
		return d.fail(e)
	}
	return nil
}
