package codec

import (
	"strings"
	"testing"
)

// Section 5.1: a client masks, a server does not.
func TestRFC6455_5_1_Masking(t *testing.T) {
	run(t, []step{
		{name: "masked at the server", in: wire(t, "8185 37fa213d 7f9f4d5158"), msgs: []string{"1 false Hello"}},
		{name: "unmasked at the client", in: wire(t, "8105 48656c6c6f"), lim: Limits{Client: true}, msgs: []string{"1 false Hello"}},
		{name: "unmasked at the server", in: wire(t, "8105 48656c6c6f"), err: ErrMaskRequired},
		{name: "masked at the client", in: masked(Text, true, "Hello"), lim: Limits{Client: true}, err: ErrMaskForbidden},
		{name: "unmasked, from two bytes", in: wire(t, "8a00"), err: ErrMaskRequired},
		{name: "masked, from two bytes", in: wire(t, "8a80"), lim: Limits{Client: true}, err: ErrMaskForbidden},
		{name: "zero key", in: wire(t, "8282 00000000 6869"), msgs: []string{"2 false hi"}},
		{name: "RSV and opcode come first", in: wire(t, "b100"), err: ErrRSV23},
	})
}

// Section 5.2: the header.
func TestRFC6455_5_2_Header(t *testing.T) {
	deflate := Limits{Deflate: true}
	run(t, []step{
		{name: "RSV1", in: wire(t, "c1"), err: ErrRSV1},
		{name: "RSV2", in: wire(t, "a1"), err: ErrRSV23},
		{name: "RSV3", in: wire(t, "91"), err: ErrRSV23},
		{name: "RSV2 with deflate", in: wire(t, "a1"), lim: deflate, err: ErrRSV23},
		{name: "RSV1 with deflate", in: wire(t, "c182 00000000 ffff"), lim: deflate, msgs: []string{"1 true \xff\xff"}},
		{name: "RSV1 on a ping", in: wire(t, "c9"), lim: deflate, err: ErrRSV1},
		{name: "RSV1 on a continuation", in: append(masked(Text, false, "a"), 0xc0), lim: deflate, err: ErrRSV1},
		{name: "opcode 3", in: wire(t, "83"), err: ErrOpcode},
		{name: "opcode 7", in: wire(t, "87"), err: ErrOpcode},
		{name: "opcode 11", in: wire(t, "8b"), err: ErrOpcode},
		{name: "opcode 15", in: wire(t, "8f"), err: ErrOpcode},
		{name: "16 bits for 125", in: wire(t, "81fe 007d"), err: ErrLengthNotMinimal},
		{name: "64 bits for 65535", in: wire(t, "81ff 000000000000ffff"), err: ErrLengthNotMinimal},
		{name: "2^53", in: wire(t, "82ff 0020000000000000"), err: ErrLengthTooLarge},
		{name: "top bit", in: wire(t, "82ff 8000000000000001"), err: ErrLengthTooLarge},
		{name: "2^53-1 is a length", in: wire(t, "82ff 001fffffffffffff 00000000"), lim: Limits{MaxPayload: 1 << 62}},
	})
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 200 << 10} {
		p := strings.Repeat("w", size)
		run(t, []step{{name: "length", in: masked(Binary, true, p), msgs: []string{"2 false " + p}}})
	}
}

// Section 5.4: fragments, and control frames between them.
func TestRFC6455_5_4_Fragmentation(t *testing.T) {
	join := func(frames ...[]byte) (b []byte) {
		for _, f := range frames {
			b = append(b, f...)
		}
		return b
	}
	long := strings.Repeat("frag", 75)
	run(t, []step{
		{name: "two", in: join(masked(Text, false, "Hel"), masked(Continuation, true, "lo")), msgs: []string{"1 false Hello"}},
		{name: "from a server", in: wire(t, "010161 890170 800163"), lim: Limits{Client: true}, msgs: []string{"9 false p", "1 false ac"}},
		{name: "ping in the middle of 300 bytes",
			in:   join(masked(Text, false, long[:150]), masked(Ping, true, "p"), masked(Continuation, true, long[150:])),
			msgs: []string{"9 false p", "1 false " + long}},
		{name: "empty fragments", in: join(masked(Binary, false, ""), masked(Continuation, false, ""), masked(Continuation, true, "")),
			msgs: []string{"2 false "}},
		{name: "empty last", in: join(masked(Text, false, "a"), masked(Continuation, true, ""), masked(Text, true, "b")),
			msgs: []string{"1 false a", "1 false b"}},
		{name: "compressed", in: append(wire(t, "4181 00000000 ff"), masked(Continuation, true, "\xfe")...), lim: Limits{Deflate: true},
			msgs: []string{"1 true \xff\xfe"}},
		{name: "control frames between compressed fragments",
			in: append(wire(t, "4181 00000000 ff"), join(masked(Ping, true, "p"), masked(Continuation, false, "\xfe"), masked(Pong, true, ""),
				masked(Continuation, true, ""), masked(Text, true, "b"))...),
			lim: Limits{Deflate: true}, msgs: []string{"9 false p", "10 false ", "1 true \xff\xfe", "1 false b"}},
		{name: "RSV1 on a ping between compressed fragments", in: append(wire(t, "4181 00000000 ff"), 0xc9), lim: Limits{Deflate: true}, err: ErrRSV1},
		{name: "the next is not compressed", in: append(wire(t, "4181 00000000 ff"), join(masked(Continuation, true, ""), masked(Binary, true, "b"))...),
			lim: Limits{Deflate: true}, msgs: []string{"1 true \xff", "2 false b"}},
		{name: "continuation of nothing", in: wire(t, "80"), err: ErrOpcode},
		{name: "continuation after the last", in: append(join(masked(Text, false, "a"), masked(Continuation, true, "b")), 0), msgs: []string{"1 false ab"}, err: ErrOpcode},
		{name: "text in text", in: append(masked(Text, false, "a"), 0x81), err: ErrOpcode},
		{name: "binary in text", in: append(masked(Text, false, "a"), 0x02), err: ErrOpcode},
		{name: "close in text", in: join(masked(Text, false, "a"), masked(Close, true, "")), msgs: []string{"8 false "}},
	})
}

// Section 5.5: control frames.
func TestRFC6455_5_5_Control(t *testing.T) {
	full := strings.Repeat("c", MaxControl)
	run(t, []step{
		{name: "close", in: masked(Close, true, "\x03\xe8"), msgs: []string{"8 false \x03\xe8"}},
		{name: "ping of 125", in: masked(Ping, true, full), msgs: []string{"9 false " + full}},
		{name: "unsolicited pong", in: masked(Pong, true, "x"), msgs: []string{"10 false x"}},
		{name: "empty ping", in: masked(Ping, true, ""), msgs: []string{"9 false "}},
		{name: "126", in: wire(t, "89fe"), err: ErrControlLength},
		{name: "127", in: wire(t, "88ff"), err: ErrControlLength},
		{name: "126, not masked", in: wire(t, "897e"), err: ErrControlLength},
		{name: "no FIN", in: wire(t, "08"), err: ErrControlFragmented},
		{name: "no FIN and RSV1", in: wire(t, "4a"), lim: Limits{Deflate: true}, err: ErrControlFragmented},
		{name: "not counted to the limits", in: append(masked(Ping, true, full), masked(Text, true, "ab")...),
			lim: Limits{MaxPayload: 2, MaxFragments: 1}, msgs: []string{"9 false " + full, "1 false ab"}},
	})
}

// Section 5.6: data frames; section 10.4: limits on them.
func TestRFC6455_5_6_DataAndLimits(t *testing.T) {
	var empties []byte
	for range 20000 {
		empties = append(empties, masked(Text, true, "")...)
	}
	if o := decode(t, empties, Limits{}, false, wholly); len(o.msgs) != 20000 || o.err != nil {
		t.Errorf("20,000 empty messages: %d, %v", len(o.msgs), o.err)
	}
	he, llo := masked(Text, false, "He"), masked(Continuation, true, "llo")
	ping := masked(Ping, true, "0123456789")
	split := func(frames ...[]byte) (b []byte) {
		for _, f := range frames {
			b = append(b, f...)
		}
		return b
	}
	empty2 := split(masked(Binary, false, ""), masked(Continuation, false, ""))
	run(t, []step{
		{name: "counter resets at FIN", in: split(he, ping, llo, he, llo), lim: Limits{MaxPayload: 5},
			msgs: []string{"9 false 0123456789", "1 false Hello", "1 false Hello"}},
		{name: "sum of fragments", in: split(he, llo[:6]), lim: Limits{MaxPayload: 4}, err: ErrMessageTooBig},
		{name: "header alone", in: masked(Binary, true, strings.Repeat("x", 70000))[:14], lim: Limits{MaxPayload: 69999}, err: ErrMessageTooBig},
		{name: "small header alone", in: masked(Binary, true, "123")[:6], lim: Limits{MaxPayload: 2}, err: ErrMessageTooBig},
		{name: "small and whole", in: masked(Binary, true, "123"), lim: Limits{MaxPayload: 2}, err: ErrMessageTooBig},
		{name: "exactly the limit", in: masked(Binary, true, "123"), lim: Limits{MaxPayload: 3}, msgs: []string{"2 false 123"}},
		{name: "third of two fragments", in: split(empty2, masked(Continuation, true, "")), lim: Limits{MaxFragments: 2}, err: ErrTooManyFragments},
		{name: "two of two fragments", in: split(he, llo, he, llo), lim: Limits{MaxFragments: 2}, msgs: []string{"1 false Hello", "1 false Hello"}},
		{name: "one of one", in: split(masked(Text, true, "a"), masked(Text, true, "b")), lim: Limits{MaxFragments: 1}, msgs: []string{"1 false a", "1 false b"}},
		{name: "two of one", in: split(he, llo[:6]), lim: Limits{MaxFragments: 1}, err: ErrTooManyFragments},
	})
}

// Section 8.1: text is UTF-8, and it is refused at the first byte that shows it.
func TestRFC6455_8_1_UTF8(t *testing.T) {
	const good = "κόσμε 語 \U0010ffff \ud7ff"
	steps := []step{
		{name: "whole", in: masked(Text, true, good), msgs: []string{"1 false " + good}},
		{name: "cut short at the end", in: masked(Text, true, "\xce\xba\xe1\xbd"), err: ErrUTF8},
		{name: "long, cut short at the end", in: masked(Text, true, strings.Repeat("a", 300)+"\xe1\xbd"), err: ErrUTF8},
		{name: "cut short at an empty last fragment", in: append(masked(Text, false, "\xe1\xbd"), masked(Continuation, true, "")...), err: ErrUTF8},
		{name: "binary is not checked", in: masked(Binary, true, "\xff"), msgs: []string{"2 false \xff"}},
		{name: "skipped", in: append(masked(Text, true, "\xff"), append(masked(Text, false, "\xff"), masked(Continuation, true, "")...)...),
			lim: Limits{SkipUTF8: true}, msgs: []string{"1 false \xff", "1 false \xff"}},
	}
	for i := range len(good) + 1 {
		steps = append(steps, step{name: "split", msgs: []string{"1 false " + good},
			in: append(masked(Text, false, good[:i]), masked(Continuation, true, good[i:])...)})
	}
	// The last byte of each is the first that can't stand there, and the frame
	// goes on for long after it.
	for _, s := range []string{"\x80", "\xc0", "\xc1", "\xe0\x80", "\xe0\x9f", "\xed\xa0", "\xf0\x80", "\xf0\x8f", "\xf4\x90", "\xf5",
		"\xff", "\xc3\x28", "\xe2\x82\x28", "\xf0\x9f\x98\x28", "語\xbf", "\xf4\x8f\xbf\xc0"} {
		for _, front := range []string{"", "语", strings.Repeat("a", 31)} {
			f := masked(Text, true, front+s+strings.Repeat("z", 200))
			at := 8 + len(front) + len(s)
			steps = append(steps, step{name: "fail-fast", in: f[:at], err: ErrUTF8},
				step{name: "not before", in: f[:at-1]})
		}
	}
	run(t, steps)
}
