package codec_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

func TestParseProtocolsWantsUniqueTokens(t *testing.T) {
	for in, want := range map[string][]string{
		"foo":                       {"foo"},
		"foo,bar":                   {"foo", "bar"},
		"b, a \t,\t c":              {"b", "a", "c"},
		"foo, Foo":                  {"foo", "Foo"},
		"v1.!#$%&'*+-.^_`|~":        {"v1.!#$%&'*+-.^_`|~"},
		"":                          nil,
		" ":                         nil,
		",":                         nil,
		"foo,":                      nil,
		",foo":                      nil,
		"foo,,bar":                  nil,
		"foo, ,bar":                 nil,
		"foo,\t":                    nil,
		"foo, foo":                  nil,
		" foo":                      nil,
		"foo ":                      nil,
		"foo,bar ":                  nil,
		"foo bar":                   nil,
		"foo bar,baz":               nil,
		"foo;bar":                   nil,
		"\"foo\"":                   nil,
		"f\x00o":                    nil,
		"föö":                       nil,
		numbered(64):                strings.Split(numbered(64), ","),
		numbered(65):                nil,
		strings.Repeat(",", 100000): nil,
	} {
		got, err := codec.ParseProtocols(in)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%.40q: %q, %v", in, got, err)
		}
		if err != nil && (status(t, err) != 400 || err.Error() != "Invalid Sec-WebSocket-Protocol header") {
			t.Errorf("%.40q: refused with %d, %v", in, status(t, err), err)
		}
	}
}

func numbered(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return strings.Join(names, ",")
}
