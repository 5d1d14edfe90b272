package loadtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

// pusherFrame is one message of the Pusher protocol as a server sends it: a JSON
// object, whose fields come in any order. Strings are as they stand in the message,
// escapes and all, and alias it.
type pusherFrame struct {
	event, channel []byte
	data           []byte // what is between the quotes, or another JSON value as it is
	text           bool   // data is a string
	epoch          []byte // of its position, in servers that keep history
	seq            uint64
}

var errNoObject = errors.New("a message is no JSON object, and the Pusher protocol has no others")

// parse takes a message apart. It allocates nothing: there may be a million a second.
func (f *pusherFrame) parse(p []byte) error {
	*f = pusherFrame{}
	return eachField(p, func(key, value []byte, text bool) error {
		switch string(key) {
		case "event":
			f.event = value
		case "channel":
			f.channel = value
		case "data":
			f.data, f.text = value, text
		case "position":
			return f.parsePosition(value)
		}
		return nil
	})
}

func (f *pusherFrame) parsePosition(p []byte) error {
	return eachField(p, func(key, value []byte, _ bool) (err error) {
		switch string(key) {
		case "epoch":
			f.epoch = value
		case "seq":
			f.seq, err = parseDecimal(value)
		}
		return err
	})
}

// parseDecimal is strconv.ParseUint without a string.
func parseDecimal(p []byte) (n uint64, err error) {
	if len(p) == 0 || len(p) > 19 {
		return 0, errNoObject
	}
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, errNoObject
		}
		n = n*10 + uint64(c-'0')
	}
	return n, nil
}

// eachField walks over the fields of a JSON object. It follows the structure and
// leaves values unchecked.
func eachField(p []byte, field func(key, value []byte, text bool) error) error {
	i := skipSpace(p, 0)
	if i >= len(p) || p[i] != '{' {
		return errNoObject
	}
	i = skipSpace(p, i+1)
	if i < len(p) && p[i] == '}' {
		return nothingBehind(p, i+1)
	}
	for {
		key, end := scanString(p, i)
		if end = skipSpace(p, end); end >= len(p) || p[end] != ':' || key == nil {
			return errNoObject
		}
		i = skipSpace(p, end+1)
		value, end := scanValue(p, i)
		if value == nil {
			return errNoObject
		}
		if err := field(key, value, p[i] == '"'); err != nil {
			return err
		}
		if i = skipSpace(p, end); i >= len(p) {
			return errNoObject
		}
		switch p[i] {
		case '}':
			return nothingBehind(p, i+1)
		case ',':
			i = skipSpace(p, i+1)
		default:
			return errNoObject
		}
	}
}

func nothingBehind(p []byte, i int) error {
	if skipSpace(p, i) < len(p) {
		return errNoObject
	}
	return nil
}

func skipSpace(p []byte, i int) int {
	for i < len(p) && (p[i] == ' ' || p[i] == '\n' || p[i] == '\t' || p[i] == '\r') {
		i++
	}
	return i
}

// scanString returns what is between the quotes that begin at i, nil when none
// do, and where it goes on.
func scanString(p []byte, i int) (s []byte, end int) {
	if i >= len(p) || p[i] != '"' {
		return nil, len(p)
	}
	begin := i + 1
	for at := begin; at < len(p); {
		n := bytes.IndexByte(p[at:], '"')
		if n < 0 {
			break
		}
		slash := bytes.IndexByte(p[at:at+n], '\\')
		if slash < 0 {
			return p[begin : at+n : at+n], at + n + 1
		}
		at += slash + 2
	}
	return nil, len(p)
}

// scanValue returns a value that begins at i, a string without its quotes; nil
// when there is none.
func scanValue(p []byte, i int) (value []byte, end int) {
	if i >= len(p) {
		return nil, i
	}
	switch p[i] {
	case '"':
		return scanString(p, i)
	case '{', '[':
		end = scanNested(p, i)
	default:
		for end = i; end < len(p) && bytes.IndexByte([]byte(",}] \n\t\r"), p[end]) < 0; {
			end++
		}
	}
	if end <= i || end > len(p) {
		return nil, len(p)
	}
	return p[i:end:end], end
}

// scanNested returns where the object or array that begins at i ends, and more
// than there is when it does not.
func scanNested(p []byte, i int) int {
	depth := 0
	for i < len(p) {
		switch p[i] {
		case '"':
			s, end := scanString(p, i)
			if s == nil {
				return len(p) + 1
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(p) + 1
}

// plain returns data without escapes; in the common case, without any, data itself.
func (f *pusherFrame) plain() []byte {
	if !f.text || bytes.IndexByte(f.data, '\\') < 0 {
		return f.data
	}
	quoted := append(append([]byte{'"'}, f.data...), '"')
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil
	}
	return []byte(s)
}

// decode reads data into v, whether it is a value or a string that holds one. It is for
// what comes once a connection, not for events.
func (f *pusherFrame) decode(v any) error { return json.Unmarshal(f.plain(), v) }

// appendSubscribe appends a subscription. auth, member and epoch may be empty.
func appendSubscribe(dst []byte, channel, auth, member, epoch string, seq uint64) []byte {
	dst = append(dst, `{"event":"pusher:subscribe","data":{"channel":"`...)
	dst = append(append(dst, channel...), '"')
	if auth != "" {
		dst = append(append(append(dst, `,"auth":"`...), auth...), '"')
	}
	if member != "" {
		dst = strconv.AppendQuote(append(dst, `,"channel_data":`...), member)
	}
	if epoch != "" {
		dst = strconv.AppendQuote(append(dst, `,"position":{"epoch":`...), epoch)
		dst = strconv.AppendUint(append(dst, `,"seq":`...), seq, 10)
		dst = append(dst, '}')
	}
	return append(dst, '}', '}')
}
