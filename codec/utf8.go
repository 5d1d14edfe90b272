package codec

import "encoding/binary"

// The states of the automaton that reads UTF-8 (RFC 3629 section 4), each of them the
// place of its six bits in a row of nextUTF8. What stands between two bytes is one of
// them, so text may be cut anywhere.
const (
	betweenRunes = 6 * iota // the zero value: text may begin and end here
	oneMore                 // continuation bytes must follow: 80 to BF
	twoMore
	threeMore
	afterE0 // A0 to BF and one more: less would be overlong
	afterED // 80 to 9F and one more: above are the surrogates
	afterF0 // 90 to BF and two more: less would be overlong
	afterF4 // 80 to 8F and two more: above ends Unicode
	notUTF8 // for ever: no byte leads out of it
)

// stateBits is what of a shifted row is the state. The rest of the row is left above
// it, as cutting it off would be one step more on the way from byte to byte.
const stateBits = 1<<6 - 1

// nextUTF8 has for each byte the row of the states that it leads to, from each state.
var nextUTF8 = func() (rows [256]uint64) {
	for b := range rows {
		for from := 0; from <= notUTF8; from += 6 {
			rows[b] |= notUTF8 << from
		}
	}
	for _, arc := range [...]struct{ from, first, last, to int }{
		{betweenRunes, 0x00, 0x7f, betweenRunes},
		{betweenRunes, 0xc2, 0xdf, oneMore},
		{betweenRunes, 0xe0, 0xe0, afterE0},
		{betweenRunes, 0xe1, 0xec, twoMore},
		{betweenRunes, 0xed, 0xed, afterED},
		{betweenRunes, 0xee, 0xef, twoMore},
		{betweenRunes, 0xf0, 0xf0, afterF0},
		{betweenRunes, 0xf1, 0xf3, threeMore},
		{betweenRunes, 0xf4, 0xf4, afterF4},
		{oneMore, 0x80, 0xbf, betweenRunes},
		{twoMore, 0x80, 0xbf, oneMore},
		{threeMore, 0x80, 0xbf, twoMore},
		{afterE0, 0xa0, 0xbf, oneMore},
		{afterED, 0x80, 0x9f, oneMore},
		{afterF0, 0x90, 0xbf, twoMore},
		{afterF4, 0x80, 0x8f, twoMore},
	} {
		for b := arc.first; b <= arc.last; b++ {
			rows[b] ^= uint64(notUTF8^arc.to) << arc.from
		}
	}
	return rows
}()

// ValidUTF8 reports whether p is UTF-8 as RFC 3629 has it: no overlong forms, no
// surrogates, nothing above U+10FFFF, no sequence cut off. It is what an
// inflated text message has to pass.
func ValidUTF8(p []byte) bool { return readUTF8(betweenRunes, p) == betweenRunes }

// readUTF8 returns the state after p. It is notUTF8 as soon as no later byte could
// mend what came. Text that is not ASCII takes about a cycle a byte whatever it
// says; utf8.Valid has branches that a processor can only guess.
func readUTF8(state uint8, p []byte) uint8 {
	s := uint64(state)
	p = p[:len(p):len(p)] // so that cutting its front need not count its capacity
	for len(p) >= 16 {
		if isASCII(word(p)|word(p[8:])) && s&stateBits == betweenRunes {
			p = p[16:]
			for len(p) > 32 && isASCII(word(p)|word(p[8:])|word(p[16:])|word(p[24:])) {
				p = p[32:]
			}
			continue
		}
		s = read8(s, p)
		s = read8(s, p[8:])
		p = p[16:]
	}
	for _, b := range p {
		s = nextUTF8[b] >> (s & stateBits)
	}
	return uint8(s & stateBits)
}

// read8 is eight bytes of readUTF8: what a loop does besides would cost as much.
func read8(s uint64, p []byte) uint64 {
	_ = p[7]
	s = nextUTF8[p[0]] >> (s & stateBits)
	s = nextUTF8[p[1]] >> (s & stateBits)
	s = nextUTF8[p[2]] >> (s & stateBits)
	s = nextUTF8[p[3]] >> (s & stateBits)
	s = nextUTF8[p[4]] >> (s & stateBits)
	s = nextUTF8[p[5]] >> (s & stateBits)
	s = nextUTF8[p[6]] >> (s & stateBits)
	return nextUTF8[p[7]] >> (s & stateBits)
}

func word(p []byte) uint64 { return binary.LittleEndian.Uint64(p) }

// isASCII reports whether none of eight bytes has its high bit set.
func isASCII(word uint64) bool { return word&0x8080808080808080 == 0 }
