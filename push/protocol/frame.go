package protocol

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Frame is one message of the protocol, read by either end. Data is raw because
// it comes as an object from some peers and as a string that holds JSON from
// others; DecodeData reads both.
type Frame struct {
	Event    string          `json:"event"`
	Channel  string          `json:"channel,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	UserID   string          `json:"user_id,omitempty"`  // who sent a client event on a presence channel
	Position *Position       `json:"position,omitempty"` // our addition: where it stands in the channel's history
}

// Position is a place in a channel's history. Sequences of one epoch grow with
// every event of the channel, though not always by one; those of different epochs
// can't be compared. Clients that don't know positions ignore them.
type Position struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// DecodeData unmarshals a data field into v, whether it is a JSON value or a
// string holding one. The error is encoding/json's.
func DecodeData(data json.RawMessage, v any) error {
	if len(data) > 0 && data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		data = json.RawMessage(s)
	}
	return json.Unmarshal(data, v)
}

// DataString returns a data field as subscribers get it: a string as it is, any
// other JSON value as its text. Absent data is the empty string.
func DataString(data json.RawMessage) (string, error) {
	if len(data) == 0 || data[0] != '"' {
		return string(data), nil
	}
	var s string
	err := json.Unmarshal(data, &s)
	return s, err
}

// AppendFrame appends {"event":…,"channel":…,"data":…} to dst. data must be JSON
// already; an empty channel or data is left out.
func AppendFrame(dst []byte, event, channel string, data []byte) []byte {
	dst = append(dst, `{"event":`...)
	dst = AppendString(dst, event)
	if channel != "" {
		dst = append(dst, `,"channel":`...)
		dst = AppendString(dst, channel)
	}
	if len(data) > 0 {
		dst = append(dst, `,"data":`...)
		dst = append(dst, data...)
	}
	return append(dst, '}')
}

// AppendUserID adds the sender of a client event to a frame of AppendFrame.
func AppendUserID(frame []byte, id string) []byte {
	frame = append(frame[:len(frame)-1], `,"user_id":`...)
	return append(AppendString(frame, id), '}')
}

// AppendPosition adds the event's position to a frame, or to any other JSON
// object that has a field already.
func AppendPosition(object []byte, p Position) []byte {
	object = append(object[:len(object)-1], `,"position":{"epoch":`...)
	object = append(AppendString(object, p.Epoch), `,"seq":`...)
	return append(strconv.AppendUint(object, p.Seq, 10), '}', '}')
}

// AppendTrace adds the event's traceparent (W3C Trace Context) to a frame.
func AppendTrace(frame []byte, parent string) []byte {
	frame = append(frame[:len(frame)-1], `,"traceparent":`...)
	return append(AppendString(frame, parent), '}')
}

// AppendString appends s to dst as a JSON string, without the escaping for HTML
// that encoding/json adds (it makes markup six times as long). Bytes that are
// not UTF-8 become U+FFFD, because a text frame must be UTF-8 (RFC 6455 5.6).
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				dst = appendEscape(append(dst, s[start:i]...), c)
				start = i + 1
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(append(dst, s[start:i]...), "\uFFFD"...)
			start = i + 1
		}
		i += n
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
