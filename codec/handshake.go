package codec

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
)

// acceptGUID is the constant of RFC 6455 section 1.3 that ties an answer to
// WebSocket: a server that merely echoes a key cannot produce the accept value.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// keyLen is the length of a Sec-WebSocket-Key: 16 bytes in base64.
const keyLen = 24

// HandshakeError is a refusal of an HTTP request: what to put into
// AppendReject. Msg never quotes what the peer sent, since the body goes out
// as text/html.
type HandshakeError struct {
	Status int         // HTTP status code
	Msg    string      // body of the answer; empty means the standard phrase
	Header http.Header // further header fields of the answer, may be nil
}

// Error returns Msg, or the standard phrase of the status when Msg is empty.
func (e *HandshakeError) Error() string {
	if e.Msg == "" {
		return http.StatusText(e.Status)
	}
	return e.Msg
}

func refuse(msg string) *HandshakeError {
	return &HandshakeError{Status: http.StatusBadRequest, Msg: msg}
}

// AcceptKey appends the Sec-WebSocket-Accept value for key to dst: the base64
// of SHA-1 over the key's text, as sent, and the GUID (RFC 6455 section
// 4.2.2). It does not allocate when dst has 28 bytes of room.
func AcceptKey(dst, key []byte) []byte {
	var buf [keyLen + len(acceptGUID)]byte
	text := append(append(buf[:0], key...), acceptGUID...)
	sum := sha1.Sum(text)
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// NewKey returns a fresh Sec-WebSocket-Key: 16 random bytes in base64. It may
// be called from several goroutines.
func NewKey() string {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails: crypto/rand ends the process instead
	return base64.StdEncoding.EncodeToString(nonce[:])
}
