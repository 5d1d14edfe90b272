package conformance

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// utf8Vectors is RFC 6455 section 8.1: "the endpoint MUST _Fail the WebSocket Connection_",
// with 1007, and here as soon as an octet shows that no valid text can come of it.
func utf8Vectors() (vs []vector) {
	for _, x := range validUTF8() {
		vs = append(vs, validText(x)...)
	}
	for _, x := range invalidUTF8 {
		vs = append(vs, invalidText(x)...)
	}
	return append(vs, asciiBoundaries()...)
}

// sample is a text, and for one that is not UTF-8 where that shows: after bad
// octets of it.
type sample struct {
	name, text string
	bad        int
}

// validText is a text whole, with neighbours, and with a frame for each octet: "a
// particular text frame might include a partial UTF-8 sequence" (section 5.6).
func validText(x sample) []vector {
	in := sent(0x01, "")
	for i := range len(x.text) {
		in = append(in, sent(0x00, x.text[i:i+1])...)
	}
	around := "κόσμε" + x.text + "é"
	return []vector{
		stays(x.name, sent(0x81, x.text), came(0x81, x.text)),
		stays(x.name+" within text", sent(0x81, around), came(0x81, around)),
		stays(x.name+" in fragments of an octet", append(in, sent(0x80, "")...), came(0x81, x.text)),
	}
}

// invalidText is a text that is no UTF-8 in all the forms in which it may come, at
// last with nothing after the octet that shows it.
func invalidText(x sample) []vector {
	good, bad := x.text[:x.bad], x.text[x.bad:]
	prefix := strings.Repeat("κόσμε ", 3)
	var octets []byte
	for i := range x.bad {
		octets = append(octets, sent(0x00, x.text[i:i+1])...)
	}
	vs := []vector{
		fails(x.name, 1007, join(sent(0x81, x.text), helloSent)),
		fails(x.name+" within text", 1007, sent(0x81, prefix+x.text+"é")),
		fails(x.name+" in a second fragment", 1007, join(sent(0x01, prefix), sent(0x00, x.text), sent(0x80, "end"))),
		stays(x.name+" is good enough for binary", sent(0x82, x.text), came(0x82, x.text)),
	}
	if x.bad == len(x.text) && x.cutShort() {
		return append(vs,
			// What is only incomplete shows at the message's end, not before.
			fails(x.name+", the end in a fragment of its own", 1007, join(sent(0x01, x.text), sent(0x89, "so far good"), sent(0x80, "")), came(0x8a, "so far good")))
	}
	rest := 100 + len(bad)
	unfinished := sent(0x81, prefix+good+strings.Repeat("x", rest))
	return append(vs,
		fails(x.name+": fails fast in an unfinished frame", 1007, unfinished[:len(unfinished)-rest]),
		fails(x.name+": fails fast in an unfinished message", 1007, join(sent(0x01, prefix), sent(0x00, good))),
		fails(x.name+": fails fast in fragments of an octet", 1007, join(sent(0x01, prefix), octets)))
}

// cutShort reports whether x would be good if more came.
func (x *sample) cutShort() bool {
	for _, end := range []string{"\x80", "\xbf", "\x80\x80", "\xbf\xbf", "\x80\x80\x80", "\xbf\xbf\xbf", "\x8f\xbf\xbf", "\x9f\xbf"} {
		if utf8.ValidString(x.text + end) {
			return true
		}
	}
	return false
}

// validUTF8 is the edges of each length and of what is left out, the
// noncharacters, which are valid, and text of many scripts.
func validUTF8() (xs []sample) {
	for _, r := range []rune{
		0, 1, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000, 0xfdd0, 0xfdef, 0xfeff,
		0xfffd, 0xfffe, 0xffff, 0x10000, 0x1fffe, 0x1ffff, 0x2fffe, 0x2ffff, 0x3ffff, 0x40000, 0x7ffff, 0x80000,
		0xbffff, 0xc0000, 0xfffff, 0x100000, 0x10fffe, 0x10ffff,
	} {
		xs = append(xs, sample{name: fmt.Sprintf("U+%04X", r), text: string(r)})
	}
	for _, s := range []string{
		"κόσμε", "Hello-µ@ßöäüàá-UTF-8!!", "日本語", "한국어", "العربية", "עברית", "हिन्दी", "ภาษาไทย",
		"𝄞𠜎", "👩‍👩‍👧‍👦", "e\u0301", "\ufeffwith a mark", "a\x00b", "\u202e", "\ufffd\ufffe\uffff",
	} {
		xs = append(xs, sample{name: fmt.Sprintf("text %q", s), text: s})
	}
	return xs
}

// invalidUTF8 follows the shape of Markus Kuhn's decoder stress test, with the
// edges of the table in RFC 3629 section 4.
var invalidUTF8 = []sample{
	// Continuations of nothing.
	{"80", "\x80", 1}, {"bf", "\xbf", 1}, {"80 bf", "\x80\xbf", 1}, {"a 80", "a\x80", 2}, {"a 80 80 80", "a\x80\x80\x80", 2},
	{"c3 a9 80", "\xc3\xa9\x80", 3}, {"f0 9f 98 80 80", "\xf0\x9f\x98\x80\x80", 5},
	// Beginnings with something else behind.
	{"c2 space", "\xc2 ", 2}, {"df space", "\xdf ", 2}, {"e0 space", "\xe0 ", 2}, {"ef space", "\xef ", 2},
	{"f0 space", "\xf0 ", 2}, {"f4 space", "\xf4 ", 2}, {"e1 80 space", "\xe1\x80 ", 3}, {"f1 80 80 space", "\xf1\x80\x80 ", 4},
	{"c2 c2", "\xc2\xc2", 2}, {"c2 7f", "\xc2\x7f", 2}, {"c2 c0", "\xc2\xc0", 2}, {"e1 7f", "\xe1\x7f", 2}, {"e1 80 c0", "\xe1\x80\xc0", 3},
	{"f1 c0", "\xf1\xc0", 2}, {"f1 80 7f", "\xf1\x80\x7f", 3}, {"f1 80 80 c0", "\xf1\x80\x80\xc0", 4}, {"e1 80 e1 80", "\xe1\x80\xe1\x80", 3},
	// Beginnings with nothing behind.
	{"c2 end", "\xc2", 1}, {"df end", "\xdf", 1}, {"e0 end", "\xe0", 1}, {"e0 a0 end", "\xe0\xa0", 2}, {"ef bf end", "\xef\xbf", 2},
	{"f0 end", "\xf0", 1}, {"f0 90 end", "\xf0\x90", 2}, {"f0 90 80 end", "\xf0\x90\x80", 3}, {"f4 8f bf end", "\xf4\x8f\xbf", 3},
	{"ed 9f end", "\xed\x9f", 2}, {"text c3 end", "text \xc3", 6},
	// Octets that stand nowhere.
	{"fe", "\xfe", 1}, {"ff", "\xff", 1}, {"fe fe ff ff", "\xfe\xfe\xff\xff", 1}, {"f5", "\xf5", 1}, {"f8", "\xf8", 1}, {"fc", "\xfc", 1}, {"c0", "\xc0", 1}, {"c1", "\xc1", 1},
	// Longer than need be.
	{"c0 80", "\xc0\x80", 1}, {"c0 af", "\xc0\xaf", 1}, {"c1 bf", "\xc1\xbf", 1}, {"e0 80 80", "\xe0\x80\x80", 2}, {"e0 80 af", "\xe0\x80\xaf", 2},
	{"e0 9f bf", "\xe0\x9f\xbf", 2}, {"f0 80 80 80", "\xf0\x80\x80\x80", 2}, {"f0 80 80 af", "\xf0\x80\x80\xaf", 2}, {"f0 8f bf bf", "\xf0\x8f\xbf\xbf", 2},
	{"f8 80 80 80 af", "\xf8\x80\x80\x80\xaf", 1}, {"fc 80 80 80 80 af", "\xfc\x80\x80\x80\x80\xaf", 1},
	{"f8 87 bf bf bf", "\xf8\x87\xbf\xbf\xbf", 1}, {"fc 83 bf bf bf bf", "\xfc\x83\xbf\xbf\xbf\xbf", 1},
	// Surrogates, alone and in pairs.
	{"ed a0 80", "\xed\xa0\x80", 2}, {"ed ad bf", "\xed\xad\xbf", 2}, {"ed ae 80", "\xed\xae\x80", 2}, {"ed af bf", "\xed\xaf\xbf", 2},
	{"ed b0 80", "\xed\xb0\x80", 2}, {"ed be 80", "\xed\xbe\x80", 2}, {"ed bf bf", "\xed\xbf\xbf", 2},
	{"ed a0 80 ed b0 80", "\xed\xa0\x80\xed\xb0\x80", 2}, {"ed af bf ed bf bf", "\xed\xaf\xbf\xed\xbf\xbf", 2},
	// Above U+10FFFF.
	{"f4 90 80 80", "\xf4\x90\x80\x80", 2}, {"f4 bf bf bf", "\xf4\xbf\xbf\xbf", 2}, {"f5 80 80 80", "\xf5\x80\x80\x80", 1},
	{"f7 bf bf bf", "\xf7\xbf\xbf\xbf", 1}, {"f8 88 80 80 80", "\xf8\x88\x80\x80\x80", 1}, {"fb bf bf bf bf", "\xfb\xbf\xbf\xbf\xbf", 1},
	{"fd bf bf bf bf bf", "\xfd\xbf\xbf\xbf\xbf\xbf", 1},
	// In the middle of what is good.
	{"κόσμε ed a0 80 edited", "κόσμε\xed\xa0\x80edited", 12}, {"κόσμε f4 90 80 80 edited", "κόσμε\xf4\x90\x80\x80edited", 12},
}

// asciiBoundaries is text whose only fault stands where a check that goes by words of
// several octets could miss it.
func asciiBoundaries() (vs []vector) {
	for n := range 40 {
		text := strings.Repeat("a", n) + "\xff" + strings.Repeat("b", 17)
		vs = append(vs, fails(fmt.Sprintf("ff at %d", n), 1007, sent(0x81, text)))
		good := strings.Repeat("a", n) + "é" + strings.Repeat("b", 17)
		vs = append(vs, stays(fmt.Sprintf("é at %d", n), sent(0x81, good), came(0x81, good)))
	}
	return vs
}
