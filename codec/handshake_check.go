package codec

import (
	"bytes"
	"net/http"
)

var errUpgradeBody error = refuse("Body in a request for an upgrade")

// CheckUpgrade applies the rules of RFC 6455 section 4.2.1 in the order ws
// does, so that a peer sees the same refusals: method, Upgrade, key, version.
// It asks for WantsUpgrade to hold already. A request with a body is refused too:
// whoever forwards it counts those bytes to the request (RFC 9110 section 7.8), and
// here they would be frames. The error is a *HandshakeError.
func (r *Request) CheckUpgrade() error {
	if length := r.Get("Content-Length"); r.Values("Transfer-Encoding") > 0 || len(bytes.Trim(length, "0")) > 0 {
		return errUpgradeBody
	}
	return checkUpgrade(r.Method, r.only("Upgrade"), r.only("Sec-WebSocket-Key"), r.only("Sec-WebSocket-Version"))
}

func checkUpgrade[T textual](method, upgrade, key, version T) error {
	switch {
	case string(method) != http.MethodGet:
		return &HandshakeError{
			Status: http.StatusMethodNotAllowed,
			Msg:    "Invalid HTTP method",
			Header: http.Header{"Allow": {http.MethodGet}}, // RFC 9110 section 15.5.6
		}
	case !asciiFold(upgrade, "websocket"):
		return refuse("Invalid Upgrade header")
	case !validKey(key):
		return refuse("Missing or invalid Sec-WebSocket-Key header")
	case string(version) != "13" && string(version) != "8":
		return &HandshakeError{
			Status: http.StatusBadRequest,
			Msg:    "Missing or invalid Sec-WebSocket-Version header",
			Header: http.Header{"Sec-Websocket-Version": {"13, 8"}},
		}
	}
	return nil
}

// validKey wants 22 characters of base64 and "==": 16 bytes. The unused low
// bits of the last character are not looked at, since the key is never decoded.
func validKey[T textual](key T) bool {
	if len(key) != keyLen || string(key[keyLen-2:]) != "==" {
		return false
	}
	for i := range keyLen - 2 {
		c := lower(key[i])
		if !isDigit(c) && (c < 'a' || c > 'z') && c != '+' && c != '/' {
			return false
		}
	}
	return true
}
