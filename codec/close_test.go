package codec

import (
	"errors"
	"strings"
	"testing"
)

// Section 7.4, IANA's registry, and what Node's ws lets pass.
func TestRFC6455_7_4_CloseCodes(t *testing.T) {
	legal := func(c int) bool {
		return c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
	}
	for c := range 1 << 16 {
		code := CloseCode(c)
		if code.Sendable() != legal(c) {
			t.Errorf("%v: sendable %t", code, code.Sendable())
		}
		p := AppendClose(nil, code, "why")
		if code == CodeNoStatus {
			if len(p) != 0 {
				t.Errorf("an empty close became %x", p)
			}
			continue
		}
		got, reason, err := ParseClose(p, false)
		if legal(c) && (got != code || string(reason) != "why" || err != nil) {
			t.Errorf("%v: parsed as %v %q, %v", code, got, reason, err)
		}
		if !legal(c) && !errors.Is(err, ErrCloseCode) {
			t.Errorf("%v: error %v", code, err)
		}
		if err := CheckClose(code, "why"); (err == nil) != legal(c) || err != nil && !errors.Is(err, ErrInvalidCloseCode) {
			t.Errorf("%v: CheckClose %v", code, err)
		}
	}
}

// Section 5.5.1: empty, or two bytes of code and a reason in UTF-8.
func TestRFC6455_5_5_1_ClosePayload(t *testing.T) {
	for _, c := range []struct {
		in   string
		skip bool
		code CloseCode
		err  *Error
	}{
		{in: "", code: CodeNoStatus},
		{in: "\x03", err: ErrControlLength},
		{in: "\x00\x00", err: ErrCloseCode},
		{in: "\x03\xe8", code: CodeNormal},
		{in: "\x0f\xa1bye", code: 4001},
		{in: "\x03\xe8\xff", err: ErrUTF8},
		{in: "\x03\xe8\xe1\xbd", err: ErrUTF8},
		{in: "\x03\xe8\xff", skip: true, code: CodeNormal},
	} {
		code, _, err := ParseClose([]byte(c.in), c.skip)
		if c.err == nil && (err != nil || code != c.code) || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%q: %v, %v; want %v, %v", c.in, code, err, c.code, c.err)
		}
	}
	if f := AppendFrame(nil, Header{Opcode: Close, Fin: true}, AppendClose(nil, 4001, "bye")); string(f) != string(wire(t, "88050fa1627965")) {
		t.Errorf("close(4001, bye) is %x", f)
	}
}

func TestReasonFitsControlFrame(t *testing.T) {
	for _, c := range []struct {
		code   CloseCode
		reason string
		want   error
	}{
		{CodeNoStatus, "", nil},
		{CodeNoStatus, "x", ErrInvalidCloseCode},
		{CodeNormal, strings.Repeat("x", MaxReason), nil},
		{CodeNormal, strings.Repeat("x", MaxReason+1), ErrReasonTooLong},
		{CodeNormal, strings.Repeat("é", 62), ErrReasonTooLong},
		{CodeNormal, "\xff", ErrReasonUTF8},
	} {
		if err := CheckClose(c.code, c.reason); !errors.Is(err, c.want) {
			t.Errorf("%v, %d bytes: %v, want %v", c.code, len(c.reason), err, c.want)
		}
	}
}

// Each violation has the close code, name and words that Node's ws gives it.
func TestErrorsAreThoseOfNodeWs(t *testing.T) {
	for _, c := range []struct {
		in    string
		lim   Limits
		code  CloseCode
		id    string
		words string
	}{
		{"a1", Limits{}, 1002, "WS_ERR_UNEXPECTED_RSV_2_3", "Invalid WebSocket frame: RSV2 and RSV3 must be clear"},
		{"c1", Limits{}, 1002, "WS_ERR_UNEXPECTED_RSV_1", "Invalid WebSocket frame: RSV1 must be clear"},
		{"80", Limits{}, 1002, "WS_ERR_INVALID_OPCODE", "Invalid WebSocket frame: invalid opcode 0"},
		{"8b", Limits{}, 1002, "WS_ERR_INVALID_OPCODE", "Invalid WebSocket frame: invalid opcode 11"},
		{"09", Limits{}, 1002, "WS_ERR_EXPECTED_FIN", "Invalid WebSocket frame: FIN must be set"},
		{"89fe", Limits{}, 1002, "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH", "Invalid WebSocket frame: invalid payload length 126"},
		{"8100", Limits{}, 1002, "WS_ERR_EXPECTED_MASK", "Invalid WebSocket frame: MASK must be set"},
		{"8180", Limits{Client: true}, 1002, "WS_ERR_UNEXPECTED_MASK", "Invalid WebSocket frame: MASK must be clear"},
		{"81ff0020000000000000", Limits{}, 1009, "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH", "Unsupported WebSocket frame: payload length > 2^53 - 1"},
		{"818300000000", Limits{MaxPayload: 2}, 1009, "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH", "Max payload size exceeded"},
		{"018000000000 008000000000", Limits{MaxFragments: 1}, 1008, "WS_ERR_TOO_MANY_BUFFERED_PARTS", "Too many message fragments"},
		{"818100000000ff", Limits{}, 1007, "WS_ERR_INVALID_UTF8", "Invalid WebSocket frame: invalid UTF-8 sequence"},
	} {
		err := everyWay(t, wire(t, c.in), c.lim).err
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || e.ID != c.id || err.Error() != c.words {
			t.Errorf("%s: %+v, want %d %s %s", c.in, e, c.code, c.id, c.words)
		}
	}
}
