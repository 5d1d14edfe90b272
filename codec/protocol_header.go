package codec

import (
	"slices"
	"strings"
)

// maxProtocols bounds the names of one handshake, because each is compared
// with all before it.
const maxProtocols = 64

// ParseProtocols reads the value of Sec-WebSocket-Protocol, repeated lines
// joined by ", " (Fields.Joined): tokens separated by commas that may have
// spaces and tabs around them, each name once (RFC 6455 section 11.3.4), at
// most 64. The names keep their order and alias joined. Call it only when the
// field is there: an empty value is an error. The error is a *HandshakeError
// with 400.
func ParseProtocols(joined string) ([]string, error) {
	parts := strings.Split(joined, ",")
	if len(parts) > maxProtocols {
		return nil, errProtocols()
	}
	for i, name := range parts {
		if i > 0 {
			name = strings.TrimLeft(name, " \t")
		}
		if i < len(parts)-1 {
			name = strings.TrimRight(name, " \t")
		}
		if !isToken(name) || slices.Contains(parts[:i], name) {
			return nil, errProtocols()
		}
		parts[i] = name
	}
	return parts, nil
}

func errProtocols() error { return refuse("Invalid Sec-WebSocket-Protocol header") }
