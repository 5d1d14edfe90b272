package codec

import "strconv"

// Error is a violation by the peer. The connection cannot go on: the peer is
// told Code in a close frame, and what it sends later is not decoded.
//
// Two Errors are the same for [errors.Is] when their ID is, so the sentinels
// below match also where Msg names the value that was wrong.
type Error struct {
	Code CloseCode // what the peer is answered
	ID   string    // the name that Node's ws has for it, e.g. "WS_ERR_EXPECTED_MASK"
	Msg  string
}

// Error returns the message, with the words of Node's ws.
func (e *Error) Error() string { return e.Msg }

// Is reports whether target is an *Error with the same ID.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.ID == e.ID
}

// with returns e with the offending value at the end of its message.
func (e *Error) with(value int) *Error {
	return &Error{Code: e.Code, ID: e.ID, Msg: e.Msg + " " + strconv.Itoa(value)}
}

const invalid = "Invalid WebSocket frame: "

// The violations. Those of the header are found in this order, each as soon as
// the byte that shows it has come; the limits when the header is whole, before any
// payload.
var (
	// ErrRSV23: RSV2 or RSV3 is set, and no extension here uses them.
	ErrRSV23 = &Error{CodeProtocol, "WS_ERR_UNEXPECTED_RSV_2_3", invalid + "RSV2 and RSV3 must be clear"}
	// ErrRSV1: RSV1 without permessage-deflate, or not on a message's first frame.
	ErrRSV1 = &Error{CodeProtocol, "WS_ERR_UNEXPECTED_RSV_1", invalid + "RSV1 must be clear"}
	// ErrOpcode: unknown, a continuation of nothing, or a message inside a message.
	ErrOpcode = &Error{CodeProtocol, "WS_ERR_INVALID_OPCODE", invalid + "invalid opcode"}
	// ErrControlFragmented: a control frame without FIN.
	ErrControlFragmented = &Error{CodeProtocol, "WS_ERR_EXPECTED_FIN", invalid + "FIN must be set"}
	// ErrControlLength: a control frame of more than MaxControl bytes, or a close
	// payload of one byte.
	ErrControlLength = &Error{CodeProtocol, "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH", invalid + "invalid payload length"}
	// ErrMaskRequired: a client sent an unmasked frame.
	ErrMaskRequired = &Error{CodeProtocol, "WS_ERR_EXPECTED_MASK", invalid + "MASK must be set"}
	// ErrMaskForbidden: a server sent a masked frame.
	ErrMaskForbidden = &Error{CodeProtocol, "WS_ERR_UNEXPECTED_MASK", invalid + "MASK must be clear"}
	// ErrLengthTooLarge: a 64-bit length of 2^53 or more, its top bit included.
	ErrLengthTooLarge = &Error{CodeTooBig, "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH", "Unsupported WebSocket frame: payload length > 2^53 - 1"}
	// ErrLengthNotMinimal: a length that a shorter form could have said. Node's ws
	// lets it pass.
	ErrLengthNotMinimal = &Error{CodeProtocol, "WS_ERR_LENGTH_NOT_MINIMAL", invalid + "payload length must use the shortest form"}
	// ErrMessageTooBig: a message above [Limits.MaxPayload], on the wire or inflated.
	ErrMessageTooBig = &Error{CodeTooBig, "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH", "Max payload size exceeded"}
	// ErrTooManyFragments: a message of more frames than [Limits.MaxFragments].
	ErrTooManyFragments = &Error{CodePolicy, "WS_ERR_TOO_MANY_BUFFERED_PARTS", "Too many message fragments"}
	// ErrUTF8: a text message or a close reason that is not UTF-8.
	ErrUTF8 = &Error{CodeInvalidPayload, "WS_ERR_INVALID_UTF8", invalid + "invalid UTF-8 sequence"}
	// ErrCloseCode: a close frame with a code that must not be sent.
	ErrCloseCode = &Error{CodeProtocol, "WS_ERR_INVALID_CLOSE_CODE", invalid + "invalid status code"}
)
