package conformance

import (
	"encoding/binary"
	"errors"
)

// inflater is the receiving end of permessage-deflate, by RFC 1951 to the letter.
// Unlike the decoders that others use it refuses every distance above the agreed
// window, within a message too.
type inflater struct {
	bits    int    // of the sender's window
	forgets bool   // no context takeover
	history []byte // at most the window
}

// message is one message whose compressed payload is p (RFC 7692 section 7.2.2).
func (z *inflater) message(p []byte) ([]byte, error) {
	r := bitReader{in: append(p[:len(p):len(p)], 0, 0, 0xff, 0xff), out: append([]byte(nil), z.history...), window: 1 << z.bits}
	for r.at < 8*len(r.in) && r.err == nil {
		r.block()
	}
	if r.err != nil {
		return nil, r.err
	}
	message := r.out[len(z.history):]
	if !z.forgets {
		z.history = r.out[max(0, len(r.out)-r.window):]
	}
	return message, nil
}

type bitReader struct {
	in     []byte
	at     int // in bits
	out    []byte
	window int
	err    error
}

func (r *bitReader) fail(why string) {
	if r.err == nil {
		r.err = errors.New(why)
	}
}

func (r *bitReader) take(n int) (v int) {
	for i := range n {
		if r.at>>3 >= len(r.in) {
			r.fail("cut short")
			return 0
		}
		v |= int(r.in[r.at>>3]>>(r.at&7)&1) << i
		r.at++
	}
	return v
}

func (r *bitReader) block() {
	if r.take(1) == 1 {
		r.fail("the server ended the stream")
	}
	switch r.take(2) {
	case 0:
		r.stored()
	case 1:
		r.coded(fixedLiterals, fixedDistances)
	case 2:
		r.coded(r.codes())
	default:
		r.fail("block type 3")
	}
}

func (r *bitReader) stored() {
	at := (r.at + 7) / 8
	if at+4 > len(r.in) {
		r.fail("cut short")
		return
	}
	n := int(binary.LittleEndian.Uint16(r.in[at:]))
	if n != int(^binary.LittleEndian.Uint16(r.in[at+2:])) || at+4+n > len(r.in) {
		r.fail("length of a stored block")
		return
	}
	r.out = append(r.out, r.in[at+4:at+4+n]...)
	r.at = 8 * (at + 4 + n)
}

func (r *bitReader) coded(literals, distances *huffman) {
	for r.err == nil {
		switch s := r.symbol(literals); {
		case s < 256:
			r.out = append(r.out, byte(s))
		case s == 256:
			return
		default:
			length := r.ranged(s-257, lengthBase[:], 4)
			r.match(length, r.ranged(r.symbol(distances), distanceBase[:], 2))
		}
	}
}

func (r *bitReader) match(length, distance int) {
	if distance > r.window || distance > len(r.out) {
		r.fail("distance too far back")
		return
	}
	for range length {
		r.out = append(r.out, r.out[len(r.out)-distance])
	}
}

// The least value of each length and distance code (section 3.2.5). The number of
// extra bits grows by one every four lengths and every two distances.
var (
	lengthBase = [29]int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}

	distanceBase = [30]int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
)

func (r *bitReader) ranged(code int, base []int, step int) int {
	if code >= len(base) {
		r.fail("no such code")
		return 0
	}
	extra := max(0, code/step-1)
	if base[code] == 258 {
		extra = 0
	}
	return base[code] + r.take(extra)
}

// huffman is a canonical code: how many codes have each length, and their symbols
// in order (section 3.2.2).
type huffman struct {
	count  [16]int
	symbol []int
}

func newHuffman(lengths []int) *huffman {
	var h huffman
	for n := 1; n < 16; n++ {
		for symbol, length := range lengths {
			if length == n {
				h.count[n]++
				h.symbol = append(h.symbol, symbol)
			}
		}
	}
	return &h
}

func (r *bitReader) symbol(h *huffman) int {
	code, first, index := 0, 0, 0
	for n := 1; n < 16 && r.err == nil; n++ {
		code |= r.take(1)
		if code-first < h.count[n] {
			return h.symbol[index+code-first]
		}
		index += h.count[n]
		first = (first + h.count[n]) << 1
		code <<= 1
	}
	r.fail("no such code")
	return 256
}

var fixedLiterals, fixedDistances = newHuffman(fixedLengths()), newHuffman(repeat(nil, 5, 30))

// fixedLengths are section 3.2.6's.
func fixedLengths() []int {
	return repeat(repeat(repeat(repeat(nil, 8, 144), 9, 112), 7, 24), 8, 8)
}

func repeat(l []int, v, n int) []int {
	for range n {
		l = append(l, v)
	}
	return l
}

// codes reads the codes of a block with its own (section 3.2.7).
func (r *bitReader) codes() (literals, distances *huffman) {
	nl, nd, nc := 257+r.take(5), 1+r.take(5), 4+r.take(4)
	lengths := make([]int, 19)
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nc] {
		lengths[i] = r.take(3)
	}
	h := newHuffman(lengths)
	var l []int
	for len(l) < nl+nd && r.err == nil {
		switch s := r.symbol(h); {
		case s < 16:
			l = append(l, s)
		case s == 16 && len(l) > 0:
			l = repeat(l, l[len(l)-1], 3+r.take(2))
		case s == 17:
			l = repeat(l, 0, 3+r.take(3))
		case s == 18:
			l = repeat(l, 0, 11+r.take(7))
		default:
			r.fail("code lengths")
		}
	}
	if len(l) != nl+nd {
		r.fail("code lengths")
		return &huffman{}, &huffman{}
	}
	return newHuffman(l[:nl]), newHuffman(l[nl:])
}
