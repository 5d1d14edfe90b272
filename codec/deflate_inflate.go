package codec

import (
	"bufio"
	"io"
	"math"

	"github.com/klauspost/compress/flate"
)

// ErrDeflate: a compressed message that is corrupt or cut short. Node's ws delivers
// the decoded part of the latter; half a message is no message.
var ErrDeflate = &Error{CodeInvalidPayload, "Z_DATA_ERROR", "Invalid compressed message"}

// streamTail follows each message's payload: the flush tail that the wire leaves
// out, then an empty final block, so that the end of the message is the clean end
// of a stream and a message cut short is not.
const (
	streamTail = syncTail + finalTail
	finalTail  = "\x01" + syncTail
)

// firstInflated is the most that is taken for a message before any of it has come
// out.
const firstInflated = 16 << 10

// Inflate returns the message whose compressed payload, all fragments together, is
// src (RFC 7692 7.2.2). The result is lent by b, and the caller puts it back. bits
// is what was agreed for the peer's side, and win its history, which takes the
// message in; nil with no context takeover.
//
// It stops with ErrMessageTooBig once more than max bytes have come out; 0 is no
// limit. Memory grows with what comes out. Data that is corrupt or cut short is an
// error that matches ErrDeflate. A peer that ends its stream (BFINAL) starts anew,
// within the message or with the next: the history before is dropped.
func (f *Flate) Inflate(src []byte, bits uint8, win *Window, max int64, b *Bytes) ([]byte, error) {
	if len(src) == 0 {
		return b.Get(0), nil
	}
	limit := math.MaxInt
	if max > 0 && max < math.MaxInt {
		limit = int(max)
	}
	out, anew, err := f.inflate(src, win.last(1<<bits), limit, b)
	switch {
	case err != nil:
		b.Put(out)
		return nil, err
	case win == nil:
	case anew >= 0:
		win.Reset()
		win.add(out[anew:], 1<<bits)
	default:
		win.add(out, 1<<bits)
	}
	return out, nil
}

func (f *Flate) inflate(src, history []byte, limit int, b *Bytes) (out []byte, anew int, err error) {
	f.jobs <- struct{}{}
	z, ok := f.inflaters.Get().(*inflater)
	if !ok {
		z = newInflater()
	}
	out, anew, err = z.inflate(src, history, limit, b)
	f.inflaters.Put(z)
	<-f.jobs
	return out, anew, err
}

// inflater is the library's reader with all that it reads through.
type inflater struct {
	src   payload
	in    *bufio.Reader
	fr    io.Reader
	probe [1]byte
}

func newInflater() *inflater {
	z := &inflater{}
	z.in = bufio.NewReader(&z.src)
	z.fr = flate.NewReader(z.in)
	return z
}

// inflate lends out from b, on an error too. anew is the length of out when the peer
// last ended its stream, -1 if it did not.
func (z *inflater) inflate(src, history []byte, limit int, b *Bytes) (out []byte, anew int, err error) {
	z.src = payload{src: src, tail: streamTail}
	z.in.Reset(&z.src)
	out = b.Get(min(4*len(src), firstInflated, limit))[:0]
	anew = -1
	for more := true; more; {
		if err = z.fr.(flate.Resetter).Reset(z.in, history); err == nil {
			out, err = z.drain(out, limit, b)
		}
		left := z.in.Buffered() + z.src.left()
		more = err == io.EOF && left > len(streamTail) // blocks may follow the final one (RFC 7692 7.2.1)
		switch {
		case err != io.EOF || left == 0:
		case left >= len(streamTail), left == len(finalTail): // the flush tail completes an empty final block
			anew, history = len(out), nil
		default: // the final block was cut short, and took the tail for its own
			err = io.ErrUnexpectedEOF
		}
	}
	z.src = payload{} // src is the caller's
	switch err {
	case io.EOF:
		return out, anew, nil
	case ErrMessageTooBig:
		return out, anew, ErrMessageTooBig
	}
	return out, anew, &Error{Code: ErrDeflate.Code, ID: ErrDeflate.ID, Msg: ErrDeflate.Msg + ": " + err.Error()}
}

// drain reads to the first error, which is io.EOF at the end of the stream.
func (z *inflater) drain(out []byte, limit int, b *Bytes) ([]byte, error) {
	for {
		if len(out) == limit {
			n, err := z.fr.Read(z.probe[:])
			if n > 0 {
				err = ErrMessageTooBig
			}
			return out, err
		}
		if len(out) == cap(out) {
			out = b.Grow(out, min(2*len(out), limit))
		}
		n, err := z.fr.Read(out[len(out):min(cap(out), limit)])
		out = out[:len(out)+n]
		if err != nil {
			return out, err
		}
	}
}

// payload reads src, then tail.
type payload struct {
	src  []byte
	tail string
}

func (p *payload) left() int { return len(p.src) + len(p.tail) }

// Read implements io.Reader.
func (p *payload) Read(to []byte) (int, error) {
	if p.left() == 0 {
		return 0, io.EOF
	}
	n := copy(to, p.src)
	p.src = p.src[n:]
	m := copy(to[n:], p.tail)
	p.tail = p.tail[m:]
	return n + m, nil
}
