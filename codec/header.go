package codec

import (
	"encoding/binary"
	"math"

	"github.com/gobwas/ws"
)

// MaxHeader is the longest frame header in bytes: two, a 64-bit length, a mask.
const MaxHeader = 14

const (
	bitFin    = 0x80
	bitMasked = 0x80
	bitRSV1   = 0x40
	bitsRSV   = 0x70
	bitsOp    = 0x0f
	bitsLen   = 0x7f

	len16 = 126 // the length follows in 16 bits
	len64 = 127 // the length follows in 64 bits

	// Above it, lengths are not exact in a double; Node's ws refuses them, and no
	// message is as long.
	maxLength = 1<<53 - 1
)

// Header is a frame header: RFC 6455 5.2.
type Header struct {
	Length int64   // bytes of payload
	Mask   [4]byte // the masking key, if Masked
	Opcode Opcode
	Rsv    byte // three bits: RSV1 is 4
	Fin    bool
	Masked bool
}

// ParseHeader reads a frame header off the front of b. n > 0 is its size.
// n < 0 means that it is not yet whole and -n more bytes are needed at least.
// The error is ErrLengthTooLarge or ErrLengthNotMinimal, found without
// waiting for the mask; everything else about a header depends on the
// connection and is the [Decoder]'s to judge.
func ParseHeader(b []byte) (h Header, n int, err error) {
	n, e := h.parse(b)
	if e != nil {
		return h, 0, e
	}
	return h, n, nil
}

// parse is ParseHeader into h, which must be zero. Copying a Header costs more
// than filling one.
func (h *Header) parse(b []byte) (n int, e *Error) {
	if len(b) < 2 {
		return len(b) - 2, nil
	}
	h.Fin = b[0]&bitFin != 0
	h.Rsv = b[0] & bitsRSV >> 4
	h.Opcode = Opcode(b[0] & bitsOp)
	h.Masked = b[1]&bitMasked != 0
	h.Length = int64(b[1] & bitsLen)
	n = 2
	switch h.Length {
	case len16:
		if n = 4; len(b) >= n {
			h.Length = int64(binary.BigEndian.Uint16(b[2:]))
			if h.Length < len16 {
				return 0, ErrLengthNotMinimal
			}
		}
	case len64:
		if n = 10; len(b) >= n {
			u := binary.BigEndian.Uint64(b[2:])
			if u > maxLength {
				return 0, ErrLengthTooLarge
			}
			if u <= math.MaxUint16 {
				return 0, ErrLengthNotMinimal
			}
			h.Length = int64(u)
		}
	}
	if h.Masked {
		n += 4
	}
	if len(b) < n {
		return len(b) - n, nil
	}
	if h.Masked {
		h.Mask = [4]byte(b[n-4:])
	}
	return n, nil
}

// Size returns how many bytes the header takes on the wire.
func (h Header) Size() int {
	n := 2
	switch {
	case h.Length > math.MaxUint16:
		n = 10
	case h.Length >= len16:
		n = 4
	}
	if h.Masked {
		n += 4
	}
	return n
}

// AppendHeader appends h to dst with the length in its shortest form.
func AppendHeader(dst []byte, h Header) []byte {
	return appendHeader(dst, &h, h.Length)
}

// appendHeader appends h with another length.
func appendHeader(dst []byte, h *Header, length int64) []byte {
	b0 := h.Rsv<<4 | byte(h.Opcode)
	if h.Fin {
		b0 |= bitFin
	}
	var b1 byte
	if h.Masked {
		b1 = bitMasked
	}
	switch {
	case length > math.MaxUint16:
		dst = append(dst, b0, b1|len64)
		dst = binary.BigEndian.AppendUint64(dst, uint64(length))
	case length >= len16:
		dst = append(dst, b0, b1|len16, byte(length>>8), byte(length))
	default:
		dst = append(dst, b0, b1|byte(length))
	}
	if h.Masked {
		dst = append(dst, h.Mask[:]...)
	}
	return dst
}

// AppendFrame appends the frame of payload to dst, with payload's length for
// h.Length and masked if h.Masked. The payload itself is not changed.
func AppendFrame(dst []byte, h Header, payload []byte) []byte {
	dst = appendHeader(dst, &h, int64(len(payload)))
	at := len(dst)
	dst = append(dst, payload...)
	if h.Masked {
		Mask(dst[at:], h.Mask, 0)
	}
	return dst
}

// AppendMessage appends payload as one frame as a server sends it: final and not
// masked.
func AppendMessage(dst []byte, op Opcode, payload []byte) []byte {
	n := len(payload)
	if n < len16 {
		return append(append(dst, bitFin|byte(op), byte(n)), payload...)
	}
	return AppendFrame(dst, Header{Opcode: op, Fin: true}, payload)
}

// Mask masks or unmasks p in place. The offset is where in the frame's payload
// p stands: RFC 6455 5.3.
func Mask(p []byte, key [4]byte, offset int) { ws.Cipher(p, key, offset) }

// unmaskSmall unmasks a short p in place and reports whether it is ASCII, which
// saves the check for UTF-8. The key is little-endian. For what a small frame
// can hold it beats the calls of [Mask] and of [ValidUTF8].
func unmaskSmall(p []byte, key uint32) (ascii bool) {
	key64 := uint64(key)<<32 | uint64(key)
	var seen uint64
	for len(p) >= 8 {
		v := binary.LittleEndian.Uint64(p) ^ key64
		binary.LittleEndian.PutUint64(p, v)
		seen |= v
		p = p[8:]
	}
	for i := range p {
		v := p[i] ^ byte(key64)
		key64 >>= 8
		p[i] = v
		seen |= uint64(v)
	}
	return isASCII(seen)
}
