package conformance

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The kinds of frames with FIN, as their first octet says them (RFC 6455 section 5.2).
var kinds = []struct {
	name  string
	first byte
}{{"text", 0x81}, {"binary", 0x82}, {"close", 0x88}, {"ping", 0x89}, {"pong", 0x8a}}

var helloSent, helloCame = sent(0x81, "Hello"), came(0x81, "Hello")

// masking is section 5.1: "The server MUST close the connection upon receiving a
// frame that is not masked."
func masking() (vs []vector) {
	for _, k := range kinds {
		for _, payload := range []string{"", "xy"} {
			if k.first == 0x88 && payload != "" {
				payload = status(1000, "")
			}
			name := fmt.Sprintf("%s of %d octets without a mask", k.name, len(payload))
			vs = append(vs,
				fails(name, 1002, came(k.first, payload)),
				fails(name+" after a good one", 1002, join(helloSent, came(k.first, payload), helloSent), helloCame))
		}
	}
	vs = append(vs, fails("fragment without a mask", 1002, join(sent(0x01, "a"), came(0x80, "b"))))
	for _, key := range [][4]byte{{}, {0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 1}, {0x80, 0, 0, 0}} {
		in := append([]byte{0x82, 0x87}, key[:]...)
		for i, c := range []byte("octets!") {
			in = append(in, c^key[i%4])
		}
		vs = append(vs, stays(fmt.Sprintf("key % x", key), in, came(0x82, "octets!")))
	}
	// The examples of section 5.7 to a server.
	return append(vs,
		stays("5.7 masked text", []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}, []byte{0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}),
		stays("5.7 masked pong", []byte{0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}))
}

// lengths is section 5.2: "the minimal number of bytes MUST be used to encode the
// length", and of 64 bits "the most significant bit MUST be 0". Errors show before
// any payload.
func lengths() (vs []vector) {
	extended := func(first byte, bits int, n uint64) []byte {
		b := []byte{first, 0x80 | 126}
		if bits == 64 {
			return append(binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, n), maskKey[:]...)
		}
		return append(binary.BigEndian.AppendUint16(b, uint16(n)), maskKey[:]...)
	}
	for _, x := range []struct {
		bits int
		n    uint64
	}{{16, 0}, {16, 1}, {16, 125}, {64, 0}, {64, 125}, {64, 126}, {64, 65535}} {
		for _, first := range []byte{0x01, 0x81, 0x82} {
			vs = append(vs, fails(fmt.Sprintf("%d in %d bits, first octet %#x", x.n, x.bits, first), 1002,
				join(helloSent, extended(first, x.bits, x.n)), helloCame))
		}
	}
	for _, n := range []uint64{1 << 63, 1<<64 - 1, 1<<63 | 5, 1<<63 - 1, 1 << 40} {
		vs = append(vs, fails(fmt.Sprintf("length %#x", n), 1009, join(helloSent, extended(0x82, 64, n)), helloCame))
	}
	return vs
}

// reservedBits is section 5.2: "If a nonzero value is received and none of the
// negotiated extensions defines the meaning", the connection fails.
func reservedBits() (vs []vector) {
	for rsv := byte(1); rsv < 8; rsv++ {
		for _, k := range kinds {
			first := k.first | rsv<<4
			name := fmt.Sprintf("RSV %03b on %s", rsv, k.name)
			payload := ""
			if k.name != "close" {
				payload = "payload"
			}
			vs = append(vs,
				fails(name, 1002, sent(first, payload)),
				fails(name+" between others", 1002,
					join(helloSent, sent(first, payload), helloSent, sent(0x89, "")), helloCame),
				// One octet is enough to know.
				fails(name+", first octet only", 1002, []byte{first}))
		}
		vs = append(vs,
			fails(fmt.Sprintf("RSV %03b on a first fragment", rsv), 1002, join(sent(0x01|rsv<<4, "a"), sent(0x80, "b"))),
			fails(fmt.Sprintf("RSV %03b on a last fragment", rsv), 1002, join(sent(0x01, "a"), sent(0x80|rsv<<4, "b"))))
	}
	return vs
}

// opcodes is section 5.2: "If an unknown opcode is received, the receiving endpoint
// MUST Fail the WebSocket Connection."
func opcodes() (vs []vector) {
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		name := fmt.Sprintf("opcode %d", op)
		vs = append(vs,
			fails(name, 1002, sent(0x80|op, "")),
			fails(name+" with payload", 1002, sent(0x80|op, "reserved payload")),
			fails(name+" without FIN", 1002, sent(op, "part")),
			fails(name+" between others", 1002, join(helloSent, sent(0x80|op, "x"), sent(0x89, ""), helloSent), helloCame),
			fails(name+" in a fragmented message", 1002, join(sent(0x01, "a"), sent(0x80|op, ""), sent(0x80, "b"))),
			fails(name+", first octet only", 1002, []byte{0x80 | op}))
	}
	return vs
}

// sizes are those on both sides of each change of the header's form.
var sizes = []int{0, 1, 2, 7, 8, 9, 124, 125, 126, 127, 128, 129, 4095, 4096, 65534, 65535, 65536, 65537}

// dataFrames is section 5.6.
func dataFrames() (vs []vector) {
	for _, n := range sizes {
		text := strings.Repeat("*", n)
		octets := strings.Repeat("\xfe", n)
		vs = append(vs,
			stays(fmt.Sprintf("text of %d", n), sent(0x81, text), came(0x81, text)),
			stays(fmt.Sprintf("binary of %d", n), sent(0x82, octets), came(0x82, octets)),
			stays(fmt.Sprintf("text of %d between others", n),
				join(helloSent, sent(0x81, text), helloSent), helloCame, came(0x81, text), helloCame))
	}
	in, out := []byte(nil), []byte(nil)
	for i := range 300 {
		p := strings.Repeat(string(rune('a'+i%26)), i)
		in, out = append(in, sent(0x81, p)...), append(out, came(0x81, p)...)
	}
	return append(vs, stays("300 messages", in, out))
}
