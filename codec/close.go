package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// CloseCode says why a connection ends: RFC 6455 7.4 and IANA's registry.
type CloseCode uint16

// The registered codes. CodeNoStatus, CodeAbnormal and CodeTLS only name an end
// that had no code; they never stand in a frame.
const (
	CodeNormal             CloseCode = 1000
	CodeGoingAway          CloseCode = 1001
	CodeProtocol           CloseCode = 1002
	CodeUnsupported        CloseCode = 1003
	CodeNoStatus           CloseCode = 1005
	CodeAbnormal           CloseCode = 1006
	CodeInvalidPayload     CloseCode = 1007
	CodePolicy             CloseCode = 1008
	CodeTooBig             CloseCode = 1009
	CodeMandatoryExtension CloseCode = 1010
	CodeInternal           CloseCode = 1011
	CodeServiceRestart     CloseCode = 1012
	CodeTryAgainLater      CloseCode = 1013
	CodeBadGateway         CloseCode = 1014
	CodeTLS                CloseCode = 1015
)

// MaxReason is the longest close reason in bytes: a control frame less its code.
const MaxReason = MaxControl - 2

// What [CheckClose] finds in our own close, before it is sent.
var (
	ErrInvalidCloseCode = errors.New("codec: close code must be 1000-1003, 1007-1014 or 3000-4999")
	ErrReasonTooLong    = errors.New("codec: close reason must be at most 123 bytes")
	ErrReasonUTF8       = errors.New("codec: close reason must be UTF-8")
)

// Sendable reports whether c may stand in a close frame, sent or received:
// 1000–1003, 1007–1014 and, for libraries and applications, 3000–4999.
func (c CloseCode) Sendable() bool {
	switch {
	case c < CodeNormal:
		return false
	case c <= CodeUnsupported:
		return true
	case c < CodeInvalidPayload:
		return false
	case c <= CodeBadGateway:
		return true
	}
	return c >= 3000 && c <= 4999
}

// String returns the number and, where one is registered, the meaning.
func (c CloseCode) String() string {
	s := strconv.Itoa(int(c))
	if m := c.meaning(); m != "" {
		s += " (" + m + ")"
	}
	return s
}

func (c CloseCode) meaning() string {
	switch c {
	case CodeNormal:
		return "normal closure"
	case CodeGoingAway:
		return "going away"
	case CodeProtocol:
		return "protocol error"
	case CodeUnsupported:
		return "unsupported data"
	case CodeNoStatus:
		return "no status received"
	case CodeAbnormal:
		return "abnormal closure"
	case CodeInvalidPayload:
		return "invalid payload"
	case CodePolicy:
		return "policy violation"
	case CodeTooBig:
		return "message too big"
	case CodeMandatoryExtension:
		return "mandatory extension"
	case CodeInternal:
		return "internal error"
	case CodeServiceRestart:
		return "service restart"
	case CodeTryAgainLater:
		return "try again later"
	case CodeBadGateway:
		return "bad gateway"
	case CodeTLS:
		return "TLS handshake failed"
	}
	return ""
}

// ParseClose reads the payload of a close frame. An empty one means
// CodeNoStatus. The reason aliases p. The error is an *Error: one byte
// (ErrControlLength), a code that is not Sendable (ErrCloseCode), or, unless
// skipUTF8, a reason that is not UTF-8 (ErrUTF8).
func ParseClose(p []byte, skipUTF8 bool) (code CloseCode, reason []byte, err error) {
	switch len(p) {
	case 0:
		return CodeNoStatus, nil, nil
	case 1:
		return 0, nil, ErrControlLength.with(1)
	}
	code, reason = CloseCode(binary.BigEndian.Uint16(p)), p[2:]
	if !code.Sendable() {
		return 0, nil, ErrCloseCode.with(int(code))
	}
	if !skipUTF8 && !utf8.Valid(reason) {
		return 0, nil, ErrUTF8
	}
	return code, reason, nil
}

// AppendClose appends the payload of a close frame to dst: nothing for
// CodeNoStatus. It does not check; [CheckClose] does.
func AppendClose(dst []byte, code CloseCode, reason string) []byte {
	if code == CodeNoStatus {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// CheckClose reports whether a close may be sent: ErrInvalidCloseCode,
// ErrReasonTooLong or ErrReasonUTF8, wrapped with the value, and nil for
// CodeNoStatus without a reason (an empty payload cannot carry one).
func CheckClose(code CloseCode, reason string) error {
	switch {
	case code == CodeNoStatus && reason == "":
		return nil
	case !code.Sendable():
		return fmt.Errorf("%w: got %d", ErrInvalidCloseCode, code)
	case len(reason) > MaxReason:
		return fmt.Errorf("%w: got %d", ErrReasonTooLong, len(reason))
	case !utf8.ValidString(reason):
		return fmt.Errorf("%w: got %q", ErrReasonUTF8, reason)
	}
	return nil
}
