package codec

import (
	"errors"
	"fmt"
)

// strictInflate decodes a raw DEFLATE stream with no final block, by RFC 1951 to
// the letter and one bit at a time, and refuses distances above window: what
// other decoders let pass. It returns history and output together.
func strictInflate(src, history []byte, window int) ([]byte, error) {
	s := &strictReader{in: src, out: append([]byte(nil), history...), window: window}
	for s.at < 8*len(src) {
		final, kind := s.bits(1), s.bits(2)
		if final == 1 {
			return nil, errors.New("final block")
		}
		switch kind {
		case 0:
			s.stored()
		case 1:
			s.block(fixedCode())
		case 2:
			s.block(s.dynamicCode())
		default:
			return nil, errors.New("block type 3")
		}
		if s.err != nil {
			return nil, s.err
		}
	}
	return s.out, nil
}

type strictReader struct {
	in     []byte
	at     int // in bits
	out    []byte
	window int
	err    error
}

func (s *strictReader) bits(n int) (v int) {
	for i := range n {
		if s.at >= 8*len(s.in) {
			s.err = errors.New("cut short")
			return 0
		}
		v |= int(s.in[s.at/8]>>(s.at%8)&1) << i
		s.at++
	}
	return v
}

func (s *strictReader) stored() {
	s.at = (s.at + 7) &^ 7
	n, not := s.bits(16), s.bits(16)
	if n != ^not&0xffff {
		s.err = errors.New("stored length")
	}
	for range n {
		s.out = append(s.out, byte(s.bits(8)))
	}
}

// huffman holds 1 + symbol at 1<<length | code, code with its first bit highest.
type huffman []int16

func newHuffman(lengths []int) huffman {
	h, code := make(huffman, 1<<16), 0
	for n := 1; n <= 15; n++ {
		for symbol, length := range lengths {
			if length == n {
				h[1<<n|code] = int16(1 + symbol)
				code++
			}
		}
		code <<= 1
	}
	return h
}

func (s *strictReader) symbol(h huffman) int {
	for code := 1; s.err == nil; {
		code = code<<1 | s.bits(1)
		if code >= len(h) {
			s.err = errors.New("no such code")
		} else if h[code] > 0 {
			return int(h[code]) - 1
		}
	}
	return 256
}

func fixedCode() (literals, distances huffman) {
	var l [288]int
	for i := range l {
		switch {
		case i < 144, i >= 280:
			l[i] = 8
		case i < 256:
			l[i] = 9
		default:
			l[i] = 7
		}
	}
	var d [30]int
	for i := range d {
		d[i] = 5
	}
	return newHuffman(l[:]), newHuffman(d[:])
}

func (s *strictReader) dynamicCode() (literals, distances huffman) {
	nl, nd, nc := s.bits(5)+257, s.bits(5)+1, s.bits(4)+4
	var lengths [19]int
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nc] {
		lengths[i] = s.bits(3)
	}
	h := newHuffman(lengths[:])
	var all []int
	for len(all) < nl+nd && s.err == nil {
		symbol, repeat, value := s.symbol(h), 1, 0
		switch {
		case symbol < 16:
			value = symbol
		case symbol == 16:
			repeat, value = 3+s.bits(2), all[len(all)-1]
		case symbol == 17:
			repeat = 3 + s.bits(3)
		default:
			repeat = 11 + s.bits(7)
		}
		for range repeat {
			all = append(all, value)
		}
	}
	if s.err != nil {
		return nil, nil
	}
	return newHuffman(all[:nl]), newHuffman(all[nl:])
}

func (s *strictReader) block(literals, distances huffman) {
	for s.err == nil {
		symbol := s.symbol(literals)
		switch {
		case symbol == 256:
			return
		case symbol < 256:
			s.out = append(s.out, byte(symbol))
			continue
		}
		length := symbol - 254
		if symbol == 285 {
			length = 258
		} else if symbol >= 265 {
			n := (symbol - 261) / 4
			length = 3 + (4+(symbol-261)%4)<<n + s.bits(n)
		}
		distance := s.symbol(distances) + 1
		if distance > 4 {
			n := (distance - 3) / 2
			distance = 1 + (2+(distance-3)%2)<<n + s.bits(n)
		}
		if distance > s.window || distance > len(s.out) {
			s.err = fmt.Errorf("distance %d, window %d, output %d", distance, s.window, len(s.out))
			return
		}
		for range length {
			s.out = append(s.out, s.out[len(s.out)-distance])
		}
	}
}
