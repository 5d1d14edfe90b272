package codec

import (
	"bytes"
	"encoding/binary"
	"net/http"
)

// MaxFields is the number of header fields a block may hold; a longer one is
// refused with 431. Browsers send about 20, a chain of proxies adds as many.
const MaxFields = 100

// Field is one header line. Both slices alias the parsed block; Name is as
// sent, Value is without the blanks around it.
type Field struct{ Name, Value []byte }

// Fields are the header fields of a block in the order of the wire. Names are
// looked up without regard to ASCII case.
type Fields []Field

// Get returns the first value of name, nil when there is none. An empty value
// is not nil.
func (f Fields) Get(name string) []byte {
	for i := range f {
		if asciiFold(f[i].Name, name) {
			return f[i].Value
		}
	}
	return nil
}

// Values counts the lines that carry name.
func (f Fields) Values(name string) (n int) {
	for i := range f {
		if asciiFold(f[i].Name, name) {
			n++
		}
	}
	return n
}

// Joined returns a copy of the values of name, joined by ", " when several
// lines carry it (RFC 9110 section 5.3). It is empty both for an absent field
// and an empty value: ask Values where that matters.
func (f Fields) Joined(name string) string {
	first, more := f.Get(name), f.Values(name)-1
	if more <= 0 {
		return string(first)
	}
	var all []byte
	for i := range f {
		if asciiFold(f[i].Name, name) {
			all = append(append(all, f[i].Value...), ", "...)
		}
	}
	return string(all[:len(all)-len(", ")])
}

// only returns the value of a field that must not be repeated: nil when it is.
func (f Fields) only(name string) (value []byte) {
	for i := range f {
		if asciiFold(f[i].Name, name) {
			if value != nil {
				return nil
			}
			value = f[i].Value
		}
	}
	return value
}

// hasToken reports whether a list field holds token in any of its lines.
func (f Fields) hasToken(name, token string) bool {
	for i := range f {
		if asciiFold(f[i].Name, name) && listHas(f[i].Value, token) {
			return true
		}
	}
	return false
}

// parse appends the fields of b, which begins after the first line of a block
// and ends with the empty line. The error is a *HandshakeError, and f is then
// as it was.
func (f *Fields) parse(b []byte) error {
	fields := *f
	for {
		line, rest, ok := cutLine(b)
		if !ok {
			return refuse("Header block without an end")
		}
		if len(line) == 0 {
			if len(rest) != 0 {
				return refuse("Header block with an empty line inside")
			}
			*f = fields
			return nil
		}
		if len(fields) == MaxFields {
			return &HandshakeError{Status: http.StatusRequestHeaderFieldsTooLarge, Msg: "More than 100 header fields"}
		}
		n := nameLen(line)
		if n == 0 {
			return refuse("Malformed header field name")
		}
		value := trimBlanks(line[n+1:])
		if !validValue(value) {
			return refuse("Control character in a header field value")
		}
		fields, b = append(fields, Field{line[:n:n], value}), rest
	}
}

// nameLen returns the length of the name in a field line, 0 when it has none
// that is a token and followed at once by the colon. A line that begins with a
// blank continues the one before it (obs-fold), and a blank before the colon
// hides the field from some parsers: RFC 9112 sections 5.1 and 5.2 have a
// server refuse both.
func nameLen(line []byte) int {
	for n, c := range line {
		if !isTchar[c] {
			if c == ':' {
				return n
			}
			break
		}
	}
	return 0
}

// cutLine cuts b after the first CRLF; the line comes without it.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[: i-1 : i-1], b[i+1:], true
}

type textual interface{ ~string | ~[]byte }

// asciiFold compares two texts without regard to ASCII case. Unicode folding
// would accept "websoc\u212aet", spelt with the Kelvin sign.
func asciiFold[A, B textual](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// listHas reports whether a comma-separated list holds token.
func listHas[T textual](list T, token string) bool {
	for start, i := 0, 0; i <= len(list); i++ {
		if i == len(list) || list[i] == ',' {
			if asciiFold(trimBlanks(list[start:i]), token) {
				return true
			}
			start = i + 1
		}
	}
	return false
}

// trimBlanks cuts spaces and tabs, HTTP's only blanks, off both ends.
func trimBlanks[T textual](s T) T {
	for len(s) > 0 && isBlank(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// isTchar marks the bytes of a token (RFC 9110 section 5.6.2).
var isTchar = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-0x20] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func isToken[T textual](s T) bool {
	for i := range len(s) {
		if !isTchar[s[i]] {
			return false
		}
	}
	return len(s) > 0
}

// isValueByte reports whether c may stand in a field value: anything but the
// control characters other than tab (RFC 9110 section 5.5).
func isValueByte(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' }

// validValue looks at eight bytes at a time: subtracting borrows into the top
// bit of a byte below 0x20, or equal to 0x7f. A borrow may spread upwards, and
// a tab is below 0x20 too, so a hit is only a reason to look closer.
func validValue(v []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(v) >= 8; v = v[8:] {
		x := binary.LittleEndian.Uint64(v)
		del := x ^ 0x7f*ones
		if ((x-' '*ones)&^x|(del-ones)&^del)&tops != 0 && !validBytes(v[:8]) {
			return false
		}
	}
	return validBytes(v)
}

func validBytes(v []byte) bool {
	for _, c := range v {
		if !isValueByte(c) {
			return false
		}
	}
	return true
}
