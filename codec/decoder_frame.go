package codec

import "math"

// next is Next in all generality.
func (d *Decoder) next(in []byte, lim *Limits, b *Bytes) (m Message, n int, ok bool, err error) {
	if d.state&(ctlGiven|msgGiven) != 0 {
		d.Release(b)
	}
	if d.state&dead != 0 {
		return m, 0, false, d.err
	}
	for d.state&(ctlReady|msgReady) == 0 {
		if d.state&inFrame == 0 {
			var h Header
			size, e := d.header(&h, in[n:], lim)
			if e != nil {
				return m, 0, false, d.fail(e)
			}
			n += size
			if d.state&inHeader != 0 || size == 0 {
				return m, n, false, nil
			}
			if whole(&h, len(in)-n) {
				end := n + int(h.Length)
				p := in[n:end:end]
				m, e = d.inPlace(&h, p, lim)
				if e != nil {
					return m, 0, false, d.fail(e)
				}
				return m, end, true, nil
			}
			d.open(&h)
		}
		p := in[n : n+int(min(d.left, int64(len(in)-n)))]
		n += len(p)
		if e := d.take(p, lim, b); e != nil {
			return m, 0, false, d.fail(e)
		}
		if n == len(in) {
			break
		}
	}
	m, ok = d.give()
	return m, n, ok, nil
}

// header reads one frame header into h from what was kept and from in, checks
// it, and returns how many bytes of in it took. A header that is still cut is
// kept, all of in taken, and the state is inHeader.
func (d *Decoder) header(h *Header, in []byte, lim *Limits) (n int, e *Error) {
	if len(in) == 0 {
		return 0, nil
	}
	b := in
	if d.headLen > 0 {
		b = d.head[:int(d.headLen)+copy(d.head[d.headLen:], in)]
	}
	if e = d.checkHead(b, lim); e != nil {
		return 0, e
	}
	n, e = h.parse(b)
	if e != nil {
		return 0, e
	}
	if n < 0 {
		d.headLen = uint8(copy(d.head[:], b))
		d.state |= inHeader
		return len(in), nil
	}
	n -= int(d.headLen)
	d.headLen = 0
	d.state &^= inHeader
	if h.Opcode&opcodeControl == 0 {
		e = d.checkLimits(h.Length, lim)
	}
	return n, e
}

// checkHead judges what the first one or two bytes of a header show.
func (d *Decoder) checkHead(b []byte, lim *Limits) *Error {
	b0, op := b[0], Opcode(b[0]&bitsOp)
	rsv1 := b0&bitRSV1 != 0
	switch {
	case b0&(bitsRSV^bitRSV1) != 0:
		return ErrRSV23
	case rsv1 && !lim.Deflate:
		return ErrRSV1
	}
	switch op {
	case Continuation:
		if rsv1 {
			return ErrRSV1
		}
		if d.state&inMessage == 0 {
			return ErrOpcode.with(int(op))
		}
	case Text, Binary:
		if d.state&inMessage != 0 {
			return ErrOpcode.with(int(op))
		}
	case Close, Ping, Pong:
		if b0&bitFin == 0 {
			return ErrControlFragmented
		}
		if rsv1 {
			return ErrRSV1
		}
		if len(b) > 1 && b[1]&bitsLen > MaxControl {
			return ErrControlLength.with(int(b[1] & bitsLen))
		}
	default:
		return ErrOpcode.with(int(op))
	}
	if len(b) > 1 && (b[1]&bitMasked != 0) == lim.Client {
		if lim.Client {
			return ErrMaskForbidden
		}
		return ErrMaskRequired
	}
	return nil
}

// checkLimits judges a data frame of length bytes before memory is taken for it.
func (d *Decoder) checkLimits(length int64, lim *Limits) *Error {
	most := lim.MaxPayload
	if most <= 0 {
		most = math.MaxInt // on 32 bits a frame may announce more than an int
	}
	if int64(len(d.msg))+length > most {
		return ErrMessageTooBig
	}
	if lim.MaxFragments > 0 && int64(d.frames) >= int64(lim.MaxFragments) {
		return ErrTooManyFragments
	}
	return nil
}

// whole reports whether a frame of which have bytes are there is complete and a
// message in itself, so that it can be returned where it stands.
func whole(h *Header, have int) bool {
	return h.Fin && h.Opcode != Continuation && h.Length <= int64(have)
}

// inPlace makes a message of a whole frame whose payload is p.
func (d *Decoder) inPlace(h *Header, p []byte, lim *Limits) (m Message, e *Error) {
	if h.Masked {
		Mask(p, h.Mask, 0)
	}
	m = Message{Opcode: h.Opcode, Compressed: h.Rsv != 0, Payload: p}
	if m.Opcode == Text && !m.Compressed && !lim.SkipUTF8 && !ValidUTF8(p) {
		return Message{}, ErrUTF8
	}
	return m, nil
}
