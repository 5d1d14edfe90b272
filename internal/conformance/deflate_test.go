package conformance

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
)

const offerDeflate = "permessage-deflate; client_max_window_bits"

// compressed is a vector of a connection with permessage-deflate: frames in,
// messages out, and the code that the server closes with.
type compressed struct {
	name  string
	offer string
	in    []byte
	want  []string
	code  uint16
}

// hello is "Hello" in the forms of RFC 7692 sections 7.2.3.1 to 7.2.3.5.
const (
	hello        = "\xf2\x48\xcd\xc9\xc9\x07\x00"
	helloAgain   = "\xf2\x00\x11\x00\x00" // by reference to one before
	helloStored  = "\x00\x05\x00\xfa\xffHello\x00"
	helloFinal   = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"
	helloInTwo   = "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"
	forgetClient = "permessage-deflate; client_no_context_takeover"
)

func compressedVectors() []compressed {
	good := func(name string, in []byte, want ...string) compressed {
		return compressed{name, offerDeflate, join(in, sent(0x88, status(1000, ""))), want, 1000}
	}
	bad := func(name string, code uint16, in []byte, want ...string) compressed {
		return compressed{name, offerDeflate, in, want, code}
	}
	vs := []compressed{
		good("7.2.3.1 one block", sent(0xc1, hello), "Hello"),
		good("7.2.3.1 in fragments", join(sent(0x41, hello[:3]), sent(0x80, hello[3:])), "Hello"),
		good("7.2.3.2 the window is shared", join(sent(0xc1, hello), sent(0xc1, helloAgain)), "Hello", "Hello"),
		good("7.2.3.3 stored", sent(0xc1, helloStored), "Hello"),
		good("7.2.3.4 BFINAL", join(sent(0xc1, helloFinal), sent(0xc1, helloFinal)), "Hello", "Hello"),
		good("7.2.1 blocks after the final one", sent(0xc1, helloFinal[:7]+hello), "HelloHello"),
		bad("7.2.1 half a block after the final one", 1007, sent(0xc1, helloFinal[:7]+hello[:3])),
		good("7.2.3.5 two blocks", sent(0xc1, helloInTwo), "Hello"),
		good("7.2.3.6 empty", join(sent(0xc1, "\x00"), sent(0xc2, "\x00")), "", ""),
		good("after BFINAL an unfinished stream", join(sent(0xc1, helloFinal), sent(0xc1, hello), sent(0xc1, helloAgain)), "Hello", "Hello", "Hello"),
		good("not compressed", join(helloSent, sent(0x82, "bytes")), "Hello", "bytes"),
		good("what is not compressed is not in the window", join(sent(0xc1, hello), sent(0x81, "other"), sent(0xc1, helloAgain)), "Hello", "other", "Hello"),
		good("a fragmented message without RSV1", join(sent(0x01, "He"), sent(0x80, "llo")), "Hello"),
		good("an empty first fragment", join(sent(0x41, ""), sent(0x00, hello), sent(0x80, "")), "Hello"),
		good("a fragment for each octet", eachOctet(0x41, hello), "Hello"),
		good("pings between fragments", join(sent(0x41, hello[:3]), sent(0x89, "p"), sent(0x00, hello[3:4]), sent(0x89, "q"), sent(0x80, hello[4:])), "pong p", "pong q", "Hello"),
		good("a character in two fragments", join(sent(0x41, "\x00\x02\x00\xfd\xff\xc3"), sent(0x80, "\xa9\x00")), "é"),
		good("a character in two blocks", sent(0xc1, "\x00\x01\x00\xfe\xff\xc3\x00\x01\x00\xfe\xff\xa9\x00"), "é"),

		bad("block type 3", 1007, sent(0xc1, "\x07")),
		bad("length of a stored block", 1007, sent(0xc1, "\x00\x05\x00\xfa\xfeHello\x00")),
		bad("cut short", 1007, sent(0xc1, hello[:3])),
		bad("a stored block cut short", 1007, sent(0xc2, "\x00\x05\x00\xfa\xffHel")),
		bad("distance before the beginning", 1007, sent(0xc1, helloAgain)),
		bad("good, then bad", 1007, join(sent(0xc1, hello), sent(0xc1, "\x07"), sent(0xc1, hello)), "Hello"),
		bad("no UTF-8 inside", 1007, sent(0xc1, "\x00\x01\x00\xfe\xff\xff\x00")),
		bad("half a character inside", 1007, sent(0xc1, "\x00\x01\x00\xfe\xff\xc3\x00")),
		bad("not compressed and no UTF-8", 1007, sent(0x81, "\xff")),
		bad("RSV1 on a continuation", 1002, join(sent(0x41, hello[:3]), sent(0xc0, hello[3:]))),
		bad("RSV1 on a middle", 1002, join(sent(0x41, hello[:3]), sent(0x40, hello[3:]), sent(0x80, ""))),
		bad("RSV1 on a continuation only", 1002, join(sent(0x01, "plain"), sent(0xc0, hello))),
		bad("RSV2 beside RSV1", 1002, sent(0xe1, hello)),
		bad("RSV3 beside RSV1", 1002, sent(0xd1, hello)),
		bad("a message inside", 1002, join(sent(0x41, hello[:3]), sent(0xc1, hello))),
	}
	for _, k := range kinds[2:] {
		vs = append(vs, bad("RSV1 on "+k.name, 1002, join(sent(0xc1, hello), sent(k.first|0x40, "")), "Hello"),
			bad("RSV1 on "+k.name+" between fragments", 1002, join(sent(0x41, hello[:3]), sent(k.first|0x40, ""))))
	}
	return append(vs,
		compressed{"a client that agreed to forget", forgetClient, join(sent(0xc1, hello), sent(0xc1, helloAgain)), []string{"Hello"}, 1007},
		compressed{"a client that forgets", forgetClient, join(sent(0xc1, hello), sent(0xc1, hello), sent(0x88, status(1000, ""))), []string{"Hello", "Hello"}, 1000})
}

// eachOctet is a message with a frame for each octet of its payload.
func eachOctet(first byte, payload string) (in []byte) {
	for i := range len(payload) {
		in = append(in, sent(first, payload[i:i+1])...)
		first = 0x00
	}
	return append(in, sent(0x80, "")...)
}

func TestCompressedVectors(t *testing.T) {
	t.Parallel()
	for _, s := range deflateSites {
		vs := compressedVectors()
		for _, v := range vs {
			t.Run(s.name+" "+v.name, func(t *testing.T) {
				t.Parallel()
				whole := vector{name: v.name, in: v.in}
				for name, next := range whole.cuts() {
					if err := v.deliver(t, &s, next); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			})
		}
		t.Logf("%s: %d vectors", s.name, len(vs))
	}
}

func (v *compressed) deliver(t *testing.T, s *site, next cut) error {
	c := s.join(t, v.offer)
	defer c.Close()
	for in := v.in; len(in) > 0; {
		n := next(len(in))
		c.write(t, in[:n])
		in = in[n:]
	}
	z := inflater{bits: 15}
	for _, want := range v.want {
		if got, err := c.message(&z); err != nil || got != want {
			return fmt.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	first, payload, err := c.frame()
	if err != nil || first != 0x88 || len(payload) < 2 || binary.BigEndian.Uint16(payload) != v.code {
		return fmt.Errorf("got frame %#x % x, %v, want close %d", first, payload, err, v.code)
	}
	if b, err := c.r.ReadByte(); err != io.EOF {
		return fmt.Errorf("after close: octet %#x, %v, not FIN", b, err)
	}
	return nil
}

// message reads one message, or a pong as "pong" and its data.
func (c *client) message(z *inflater) (string, error) {
	first, payload, err := c.frame()
	switch {
	case err != nil:
		return "", err
	case first == 0x8a:
		return "pong " + string(payload), nil
	case first&0xbf != 0x81 && first&0xbf != 0x82:
		return "", fmt.Errorf("frame %#x % x", first, payload)
	case first&0x40 != 0:
		payload, err = z.message(payload)
	}
	return string(payload), err
}

// TestWindowIsKeptToTheLastOctet: a reference as far back as the agreed window
// reaches, into the message before, is good.
func TestWindowIsKeptToTheLastOctet(t *testing.T) {
	t.Parallel()
	for bits := 8; bits <= 15; bits++ {
		t.Run(fmt.Sprintf("%d bits", bits), func(t *testing.T) {
			t.Parallel()
			c := deflateSites[0].join(t, fmt.Sprintf("permessage-deflate; client_max_window_bits=%d", bits))
			if want := fmt.Sprintf("client_max_window_bits=%d", bits); !strings.Contains(c.extensions, want) {
				t.Fatalf("%q was agreed, without %s", c.extensions, want)
			}
			far := noise(1 << bits)
			stored := binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(far)))
			stored = binary.LittleEndian.AppendUint16(stored, ^uint16(len(far)))
			c.write(t, join(sent(0xc2, join(stored, far, []byte{0})), sent(0xc2, farMatch(bits))))
			z := inflater{bits: 15}
			match := far[:min(258, len(far))]
			match = append(match[:len(match):len(match)], far[:258-len(match)]...) // a short one goes on in itself
			for _, want := range [][]byte{far, match} {
				if got, err := c.message(&z); err != nil || got != string(want) {
					t.Fatalf("got %d octets, %v, want %d", len(got), err, len(want))
				}
			}
		})
	}
}

// farMatch is a message of one match: 258 octets from 1<<bits back, in the fixed code
// (RFC 1951 section 3.2.6).
func farMatch(bits int) []byte {
	var b []byte
	n := 0
	put := func(v, width int) { // the first bit of v in its lowest place
		for i := range width {
			if n%8 == 0 {
				b = append(b, 0)
			}
			b[n/8] |= byte(v>>i&1) << (n % 8)
			n++
		}
	}
	code := func(v, width int) { // Huffman codes begin with their highest bit
		for i := width - 1; i >= 0; i-- {
			put(v>>i&1, 1)
		}
	}
	put(0b010, 3)               // not final, fixed code
	code(0b11000000+285-280, 8) // length 258
	code(2*bits-1, 5)           // the code whose largest distance is 1<<bits
	put(1<<(bits-2)-1, bits-2)  // all its extra bits
	code(0, 7)                  // end of block
	put(0, 3)                   // the empty stored block, less 00 00 ff ff
	return b
}
