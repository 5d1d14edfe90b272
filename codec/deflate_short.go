package codec

import (
	"encoding/binary"
	"math/bits"
)

// Why there is a coder for short messages: the library's fast levels do not look for
// matches below 128 bytes at all, and reading 32 KiB of history for a message of 64
// costs them 60 µs and saves nothing. This one reads at most 4 KiB of it and codes
// with the fixed Huffman code, whose table need not be sent. Up to 256 bytes its
// output is as short and takes a tenth of the time; from there on a table pays.

const (
	maxShort      = 256 // longest message it is used for
	shortLookBack = 4 << 10
	shortHashBits = 12
	shortMinMatch = 4
	maxMatch      = 258 // RFC 1951 3.2.5
	shortBound    = maxShort*9/8 + 16
)

// shortCoder turns one short message into one fixed Huffman block.
type shortCoder struct {
	seen [1 << shortHashBits]uint16 // 1 + position of the last four bytes with that hash
	text [shortLookBack + maxShort + 4]byte
	out  [shortBound]byte
	used int
	acc  uint64 // bits not yet in out, the first lowest
	held uint
}

func (f *Flate) compressShort(dst, src []byte, bits uint8, win *Window) []byte {
	c, ok := f.short.Get().(*shortCoder)
	if !ok {
		c = new(shortCoder)
	}
	dst = c.compress(dst, win.last(min(shortLookBack, 1<<bits)), src, 1<<bits)
	f.short.Put(c)
	return dst
}

// compress appends src as one block and a sync flush. No distance is above far.
func (c *shortCoder) compress(dst, history, src []byte, far int) []byte {
	clear(c.seen[:])
	start := copy(c.text[:], history)
	end := start + copy(c.text[start:], src)
	// Every other position will do: a match of five bytes or more still covers
	// one, and grows backwards to where it begins.
	for at := 0; at+shortMinMatch <= start; at += 2 {
		c.seen[hashShort(c.load(at))] = uint16(at + 1)
	}
	c.used, c.acc, c.held = 0, 0, 0
	c.put(0b010, 3) // not final, fixed Huffman
	c.code(start, end, far)
	c.put(0, 7) // end of block
	c.put(0, 3) // not final, stored: the flush
	c.align()
	if c.used < 1+2+2+len(src)+1 {
		return append(append(dst, c.out[:c.used]...), syncTail...)
	}
	dst = append(dst, 0) // not final, stored
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(src)))
	dst = binary.LittleEndian.AppendUint16(dst, ^uint16(len(src)))
	return append(append(dst, src...), "\x00"+syncTail...)
}

// code codes text[from:end], referring back at most far bytes.
func (c *shortCoder) code(from, end, far int) {
	plain := from // text[plain:at] awaits coding as literals
	for at := from; at+shortMinMatch <= end; {
		four := c.load(at)
		slot := &c.seen[hashShort(four)]
		old := int(*slot) - 1
		*slot = uint16(at + 1)
		if old < 0 || at-old > far || c.load(old) != four {
			at++
			continue
		}
		n := shortMinMatch
		for n < maxMatch && at+n < end && c.text[old+n] == c.text[at+n] {
			n++
		}
		back := at - old
		for n < maxMatch && at > plain && at > back && c.text[at-1] == c.text[at-1-back] {
			at, n = at-1, n+1
		}
		c.literals(plain, at)
		c.match(n, back)
		at += n
		plain = at
	}
	c.literals(plain, end)
}

func (c *shortCoder) load(at int) uint32 {
	return binary.LittleEndian.Uint32(c.text[at : at+4])
}

func hashShort(four uint32) uint32 { return four * 2654435761 >> (32 - shortHashBits) }

// literals codes text[from:to] (RFC 1951 3.2.6). Huffman codes go out from their top
// bit, hence the reversals.
func (c *shortCoder) literals(from, to int) {
	for _, v := range c.text[from:to] {
		if v < 144 {
			c.put(uint64(bits.Reverse8(0x30+v)), 8)
		} else {
			c.put(uint64(bits.Reverse16(0x190+uint16(v)-144)>>7), 9)
		}
	}
}

// match codes a length of 3 to 258 and a distance (RFC 1951 3.2.5): beyond the
// first few codes, each power of two is cut into four lengths or two distances,
// and the low bits follow as they are.
func (c *shortCoder) match(length, distance int) {
	v := uint(length - 3)
	symbol, extra := 257+v, uint(0)
	switch {
	case length == maxMatch:
		symbol = 285
	case v >= 8:
		extra = uint(bits.Len(v)) - 3
		symbol = 257 + 4*extra + v>>extra
	}
	if symbol < 280 {
		c.put(uint64(bits.Reverse8(uint8(symbol-256)<<1)), 7)
	} else {
		c.put(uint64(bits.Reverse8(uint8(symbol-280+0xc0))), 8)
	}
	c.put(uint64(v)&(1<<extra-1), extra)

	v = uint(distance - 1)
	symbol, extra = v, 0
	if v >= 4 {
		extra = uint(bits.Len(v)) - 2
		symbol = 2*extra + v>>extra
	}
	c.put(uint64(bits.Reverse8(uint8(symbol)<<3)), 5)
	c.put(uint64(v)&(1<<extra-1), extra)
}

// put adds the low n bits of v, n <= 13, above which v is 0.
func (c *shortCoder) put(v uint64, n uint) {
	c.acc |= v << c.held
	c.held += n
	if c.held >= 48 {
		binary.LittleEndian.PutUint64(c.out[c.used:], c.acc)
		c.used += 6
		c.acc >>= 48
		c.held -= 48
	}
}

// align fills the last byte with zeros and empties the accumulator.
func (c *shortCoder) align() {
	binary.LittleEndian.PutUint64(c.out[c.used:], c.acc)
	c.used += int(c.held+7) / 8
	c.acc, c.held = 0, 0
}
