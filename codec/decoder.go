package codec

import "encoding/binary"

// Limits is what a connection allows its peer. It is only read: connections and
// goroutines may share one, as long as nobody changes it.
type Limits struct {
	MaxPayload   int64 // bytes of one whole message on the wire; 0 = no limit
	MaxFragments int   // data frames of one message; 0 = no limit; a message of one frame counts 1
	Client       bool  // we are the client: frames must come unmasked
	Deflate      bool  // RSV1 is legal on the first frame of a message
	SkipUTF8     bool  // text is not checked
}

// Message is a whole message or one control frame.
type Message struct {
	Opcode     Opcode // Text, Binary, Close, Ping or Pong
	Compressed bool   // Payload is still deflated, and text in it not yet checked
	Payload    []byte
}

// Decoder is what has to be remembered of one connection's inbound bytes between
// two reads. The zero value stands at a message boundary and holds nothing.
//
// It belongs to one goroutine at a time, and all its calls want the same Limits
// and the same Bytes. After an error it is dead: it returns that error until
// Reset.
type Decoder struct {
	msg    []byte // the open message so far, or the one that was returned last
	ctl    []byte // the same of a control frame that was cut
	err    *Error
	left   int64  // payload bytes that the open frame misses
	frames uint32 // data frames of the open message
	key    [4]byte
	state  state
	head   [MaxHeader]byte // the first headLen bytes of a cut header

	headLen uint8
	pos     uint8  // how far into the mask key the open frame is, 0 to 3
	text    uint8  // of the message so far: a state of readUTF8
	op      Opcode // of the message
	frameOp Opcode // of the open frame
}

// state is a set: what a Decoder is in the middle of. Empty means at a boundary.
type state uint16

const (
	inHeader  state = 1 << iota // head has a beginning
	inFrame                     // the open frame's payload is missing in part
	inMessage                   // msg, op, frames, text and deflated are in use
	deflated                    // the message has RSV1
	lastFrame                   // the open data frame has FIN
	ctlReady                    // ctl is whole and not yet returned
	msgReady                    // msg is whole and not yet returned
	ctlGiven                    // ctl was returned; the next call takes its memory back
	msgGiven                    // so was msg
	dead                        // err says why
)

// Next consumes from in and returns how many bytes it took and, when ok, one
// message or control frame. Not ok means that it took all of in. It is called
// in a loop while len(in) > 0, and once more after a Filled.
//
// It unmasks in in place. The payload aliases in where the frame stood there
// whole and alone made the message; otherwise it aliases memory that the Decoder
// drew from b. Both are good until the next call of Next, Release or Reset.
//
// The error is an *Error. It comes as soon as the bytes show it.
func (d *Decoder) Next(in []byte, lim *Limits, b *Bytes) (m Message, n int, ok bool, err error) {
	// The common case is a buffer full of small messages of one frame each.
	if d.state == 0 && len(in) >= 6 {
		op, head, size := Opcode(in[0]^bitFin), 6, int(in[1])-bitMasked
		if lim.Client {
			head, size = 2, int(in[1])
		}
		if (op == Text || op == Binary) && uint(size) < len16 && size <= len(in)-head &&
			(lim.MaxPayload <= 0 || int64(size) <= lim.MaxPayload) {
			p := in[head : head+size : head+size]
			ascii := !lim.Client && unmaskSmall(p, binary.LittleEndian.Uint32(in[2:]))
			if ascii || op == Binary || lim.SkipUTF8 || ValidUTF8(p) {
				return Message{Opcode: op, Payload: p}, head + size, true, nil
			}
			return m, 0, false, d.fail(ErrUTF8)
		}
	}
	return d.next(in, lim, b)
}

// Idle reports that nothing is held: the owner may drop or reuse the value.
func (d *Decoder) Idle() bool { return d.state == 0 }

// Held returns how many bytes of memory are held.
func (d *Decoder) Held() int { return cap(d.msg) + cap(d.ctl) }

// Release gives the memory of the last returned message back to b. Next does so
// by itself; an owner calls it where the next bytes may be long in coming.
func (d *Decoder) Release(b *Bytes) {
	if d.state&ctlGiven != 0 {
		b.Put(d.ctl)
		d.ctl = nil
	}
	if d.state&msgGiven != 0 {
		b.Put(d.msg)
		d.msg = nil
	}
	d.state &^= ctlGiven | msgGiven
}

// Reset gives all held memory back to b and makes d a zero value.
func (d *Decoder) Reset(b *Bytes) {
	b.Put(d.msg)
	b.Put(d.ctl)
	*d = Decoder{}
}

// fail kills d.
func (d *Decoder) fail(e *Error) error {
	d.err = e
	d.state |= dead
	return e
}
