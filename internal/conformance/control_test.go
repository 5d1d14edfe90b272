package conformance

import (
	"fmt"
	"strings"
)

// pings is RFC 6455 sections 5.5.2 and 5.5.3: a pong has its ping's data; a pong
// that nobody asked for is no offence; control frames have at most 125 octets.
func pings() (vs []vector) {
	for _, n := range []int{0, 1, 2, 7, 8, 9, 64, 124, 125} {
		p := strings.Repeat("\xfe", n)
		vs = append(vs,
			stays(fmt.Sprintf("ping of %d", n), sent(0x89, p), came(0x8a, p)),
			stays(fmt.Sprintf("pong of %d that nobody asked for", n), sent(0x8a, p)),
			stays(fmt.Sprintf("ping of %d after such a pong", n), join(sent(0x8a, "?"), sent(0x89, p)), came(0x8a, p)),
			stays(fmt.Sprintf("ping of %d between messages", n), join(helloSent, sent(0x89, p), helloSent), helloCame, came(0x8a, p), helloCame))
	}
	for _, n := range []int{126, 127, 1000, 65536} {
		p := strings.Repeat("x", n)
		for _, k := range kinds[2:] {
			vs = append(vs,
				fails(fmt.Sprintf("%s of %d", k.name, n), 1002, join(helloSent, sent(k.first, p)), helloCame),
				fails(fmt.Sprintf("%s of %d, two octets only", k.name, n), 1002, sent(k.first, p)[:2]))
		}
	}
	for _, k := range kinds[2:] {
		first := k.first &^ 0x80
		vs = append(vs,
			fails(k.name+" without FIN", 1002, sent(first, "")),
			fails(k.name+" without FIN, first octet only", 1002, []byte{first}),
			fails(k.name+" in fragments", 1002, join(helloSent, sent(first, "ab"), sent(0x80, "cd"), helloSent), helloCame),
			fails(k.name+" in fragments inside a message", 1002, join(sent(0x01, "a"), sent(first, "ab"), sent(0x80, "cd"))))
	}
	return append(vs, manyPings(10), manyPings(1000),
		stays("ping with the mask in its data", sent(0x89, "\x37\xfa\x21\x3d\x37\xfa\x21\x3d\x37"), came(0x8a, "\x37\xfa\x21\x3d\x37\xfa\x21\x3d\x37")))
}

func manyPings(n int) vector {
	var in, out []byte
	for i := range n {
		p := fmt.Sprint("ping ", i)
		in, out = append(in, sent(0x89, p)...), append(out, came(0x8a, p)...)
	}
	return stays(fmt.Sprintf("%d pings are answered in order", n), in, out)
}

// closing is sections 5.5.1, 7.1.5, 7.4.1 and 7.4.2. A close is answered with its
// own code and reason; after it nothing counts.
func closing() (vs []vector) {
	answered := func(name, payload string, after ...[]byte) {
		vs = append(vs, vector{name, join(sent(0x88, payload), join(after...)), came(0x88, payload)})
	}
	answered("empty", "")
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		answered(fmt.Sprint("code ", code), status(code, ""))
		answered(fmt.Sprintf("code %d with a reason", code), status(code, "reason"))
	}
	for _, reason := range []string{"x", "Grüße", "κόσμε", "\U0001f4a9", strings.Repeat("x", 123), strings.Repeat("é", 61)} {
		answered(fmt.Sprintf("reason of %d octets, %.8q", len(reason), reason), status(1000, reason))
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 5999, 65535} {
		vs = append(vs,
			fails(fmt.Sprintf("code %d must not be sent", code), 1002, sent(0x88, status(code, ""))),
			fails(fmt.Sprintf("code %d must not be sent, with a reason", code), 1002, sent(0x88, status(code, "reason"))))
	}
	vs = append(vs,
		fails("half a code", 1002, sent(0x88, "\x03")),
		fails("reason of 124 octets", 1002, sent(0x88, status(1000, strings.Repeat("x", 124)))))
	for _, x := range invalidUTF8 {
		vs = append(vs, fails("reason "+x.name, 1007, sent(0x88, status(1000, x.text))))
	}
	answered("then text", status(1000, ""), helloSent)
	answered("then ping", status(1000, ""), sent(0x89, "x"))
	answered("then close", status(1000, ""), sent(0x88, status(1001, "")))
	answered("then a violation", status(1000, ""), []byte{0xff, 0xff, 0xff})
	answered("then invalid text", status(1000, ""), sent(0x81, "\xff"))
	answered("then 256 KiB", status(1000, ""), sent(0x82, make([]byte, 256<<10)))
	big := strings.Repeat("big", 100_000)
	return append(vs,
		vector{"inside a fragmented message", join(sent(0x01, "a"), sent(0x88, status(1000, "")), sent(0x80, "b")), came(0x88, status(1000, ""))},
		vector{"behind a large message", join(sent(0x82, big), sent(0x88, status(1000, ""))), join(came(0x82, big), came(0x88, status(1000, "")))},
		vector{"behind pings", join(sent(0x89, "1"), sent(0x89, "2"), sent(0x88, "")), join(came(0x8a, "1"), came(0x8a, "2"), came(0x88, ""))},
		// A failed connection takes no close either.
		fails("after a violation", 1002, join(sent(0x83, ""), sent(0x88, status(1000, "")))))
}
