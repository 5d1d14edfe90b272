package conformance

import (
	"fmt"
	"strings"
)

// fragmentation is RFC 6455 section 5.4.
func fragmentation() (vs []vector) {
	for _, k := range kinds[:2] {
		vs = append(vs, fragmented(k.name, k.first)...)
		vs = append(vs, interleaved(k.name, k.first)...)
		vs = append(vs, misplaced(k.name, k.first)...)
	}
	return vs
}

// fragmented is messages that come in several frames.
func fragmented(name string, fin byte) (vs []vector) {
	open := fin &^ 0x80
	good := func(what string, in []byte, message string) {
		vs = append(vs, stays(name+" "+what, in, came(fin, message)))
	}
	good("in two", join(sent(open, "frag"), sent(0x80, "ments")), "fragments")
	good("with an empty first", join(sent(open, ""), sent(0x80, "all")), "all")
	good("with an empty middle", join(sent(open, "a"), sent(0x00, ""), sent(0x80, "b")), "ab")
	good("with an empty last", join(sent(open, "all"), sent(0x80, "")), "all")
	good("all of them empty", join(sent(open, ""), sent(0x00, ""), sent(0x80, "")), "")
	for _, size := range []int{1, 2, 3, 125, 126, 4096, 65536} {
		var in []byte
		var message strings.Builder
		first := open
		for i := range 7 {
			p := strings.Repeat(string(rune('a'+i)), size)
			message.WriteString(p)
			in = append(in, sent(first, p)...)
			first = 0x00
		}
		good(fmt.Sprintf("in seven of %d and an end", size), append(in, sent(0x80, "")...), message.String())
	}
	in, message := sent(open, "0"), "0"
	for i := range 500 {
		p := fmt.Sprint(i)
		in, message = append(in, sent(0x00, p)...), message+p
	}
	good("in 502", append(in, sent(0x80, ".")...), message+".")
	vs = append(vs, stays(name+" twice, with another between",
		join(sent(open, "a"), sent(0x80, "b"), helloSent, sent(open, "c"), sent(0x80, "d")),
		came(fin, "ab"), helloCame, came(fin, "cd")))
	return vs
}

// interleaved is control frames "in the middle of a fragmented message".
func interleaved(name string, fin byte) (vs []vector) {
	open := fin &^ 0x80
	var in, pongs []byte
	in = append(in, sent(open, "0")...)
	message := "0"
	for i := range 20 {
		p := fmt.Sprint("p", i)
		in = append(in, sent(0x89, p)...)
		pongs = append(pongs, came(0x8a, p)...)
		in = append(in, sent(0x00, p)...)
		message += p
	}
	long := strings.Repeat("l", 125)
	return append(vs,
		stays(name+" with a ping inside", join(sent(open, "a"), sent(0x89, "ping"), sent(0x80, "b")), came(0x8a, "ping"), came(fin, "ab")),
		stays(name+" with a long ping inside", join(sent(open, "a"), sent(0x89, long), sent(0x80, "b")), came(0x8a, long), came(fin, "ab")),
		stays(name+" with a pong inside", join(sent(open, "a"), sent(0x8a, "pong"), sent(0x80, "b")), came(fin, "ab")),
		stays(name+" with an empty ping before an empty end", join(sent(open, "a"), sent(0x89, ""), sent(0x80, "")), came(0x8a, ""), came(fin, "a")),
		stays(name+" with twenty pings inside", append(in, sent(0x80, "")...), pongs, came(fin, message)),
		stays(name+" with pings around", join(sent(0x89, "1"), sent(open, "a"), sent(0x89, "2"), sent(0x89, "3"), sent(0x80, "b"), sent(0x89, "4")),
			came(0x8a, "1"), came(0x8a, "2"), came(0x8a, "3"), came(fin, "ab"), came(0x8a, "4")))
}

// misplaced is continuations of nothing, and messages inside messages.
func misplaced(name string, fin byte) (vs []vector) {
	open := fin &^ 0x80
	bad := func(what string, in []byte, out ...[]byte) {
		vs = append(vs, fails(name+": "+what, 1002, in, out...))
	}
	bad("an end of nothing", join(sent(0x80, "x"), sent(fin, "y")))
	bad("an empty end of nothing", join(sent(0x80, ""), sent(fin, "y")))
	bad("a middle of nothing", join(sent(0x00, "x"), sent(0x80, "y")))
	bad("an end after a whole message", join(sent(fin, "whole"), sent(0x80, "x")), came(fin, "whole"))
	bad("an end after an end", join(sent(open, "a"), sent(0x80, "b"), sent(0x80, "c")), came(fin, "ab"))
	bad("a middle after an end", join(sent(open, "a"), sent(0x80, "b"), sent(0x00, "c"), sent(fin, "d")), came(fin, "ab"))
	bad("a whole message inside", join(sent(open, "a"), sent(fin, "b")))
	bad("a beginning inside", join(sent(open, "a"), sent(open, "b"), sent(0x80, "c")))
	bad("the other kind inside", join(sent(open, "a"), sent(fin^3, "b")))
	bad("the other kind inside, behind a ping", join(sent(open, "a"), sent(0x89, "p"), sent(fin^3, "b")), came(0x8a, "p"))
	bad("a beginning inside an empty one", join(sent(open, ""), sent(open, "")))
	bad("a first octet inside", join(sent(open, "a"), []byte{fin}))
	return vs
}
