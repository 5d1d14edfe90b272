package codec

import (
	"bytes"
	"net/http"
)

// Request is one parsed request header block. Its slices alias the block and
// are valid while the block is. The zero value is ready for Parse; parsing
// again reuses the memory of Fields. Not for several goroutines at once.
type Request struct {
	Method, Target []byte
	Minor          int // of HTTP/1.Minor
	Fields             // at most MaxFields
}

// Parse takes a block as ScanHead delimits it. The error is a *HandshakeError:
// 400 for what RFC 9112 calls malformed and for what lets two parsers disagree
// about where a request ends or whom it is for (a second Host, Content-Length
// or Transfer-Encoding, Content-Length beside Transfer-Encoding, a missing
// Host in HTTP/1.1), 431 for more than MaxFields fields, 501 for a transfer
// coding other than chunked, 505 for a version other than HTTP/1; r is then of
// no use. It does not allocate once Fields has grown.
func (r *Request) Parse(head []byte) error {
	*r = Request{Fields: r.Fields[:0]}
	if len(head) > 2 && head[0] == '\r' && head[1] == '\n' {
		head = head[2:]
	}
	line, rest, ok := cutLine(head)
	if !ok {
		return refuse("Malformed request line")
	}
	if err := r.parseLine(line); err != nil {
		return err
	}
	if err := r.Fields.parse(rest); err != nil {
		return err
	}
	return r.checkFraming()
}

// parseLine wants exactly "method SP target SP HTTP/1.x". The target is taken
// as opaque bytes: anything without blanks and control characters.
func (r *Request) parseLine(line []byte) error {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, ok := bytes.Cut(rest, []byte(" "))
	if !ok || !isToken(method) || len(target) == 0 {
		return refuse("Malformed request line")
	}
	if bytes.IndexByte(target, '\t') >= 0 || !validValue(target) {
		return refuse("Control character in the request target")
	}
	major, minor, ok := parseVersion(version)
	if !ok {
		return refuse("Malformed HTTP version")
	}
	if major != 1 {
		return &HandshakeError{Status: http.StatusHTTPVersionNotSupported, Msg: "Only HTTP/1.0 and HTTP/1.1 are spoken here"}
	}
	r.Method, r.Target, r.Minor = method, target, minor
	return nil
}

// parseVersion reads "HTTP/d.d" (RFC 9112 section 2.3).
func parseVersion(v []byte) (major, minor int, ok bool) {
	if len(v) != len("HTTP/1.1") || string(v[:5]) != "HTTP/" || v[6] != '.' || !isDigit(v[5]) || !isDigit(v[7]) {
		return 0, 0, false
	}
	return int(v[5] - '0'), int(v[7] - '0'), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// checkFraming refuses requests whose end or addressee is open to dispute
// (RFC 9112 sections 3.2, 6.1 and 6.3).
func (r *Request) checkFraming() error {
	var hosts, lengths, codings int
	for i := range r.Fields {
		name, value := r.Fields[i].Name, r.Fields[i].Value
		switch {
		case asciiFold(name, "Host"):
			hosts++
		case asciiFold(name, "Content-Length"):
			lengths++
			if !validLength(value) {
				return refuse("Malformed Content-Length header")
			}
		case asciiFold(name, "Transfer-Encoding"):
			codings++
			if !asciiFold(value, "chunked") {
				return &HandshakeError{Status: http.StatusNotImplemented, Msg: "Unsupported Transfer-Encoding"}
			}
		}
	}
	switch {
	case hosts > 1:
		return refuse("Duplicate Host header")
	case hosts == 0 && r.Minor > 0:
		return refuse("Missing Host header")
	case lengths+codings > 1:
		return refuse("Ambiguous body length: more than one Content-Length or Transfer-Encoding header")
	case codings == 1 && r.Minor == 0:
		return refuse("Transfer-Encoding in an HTTP/1.0 request")
	}
	return nil
}

// validLength wants 1 to 18 digits, so that the value fits an int64.
func validLength(v []byte) bool {
	for _, c := range v {
		if !isDigit(c) {
			return false
		}
	}
	return 0 < len(v) && len(v) <= 18
}

// Path returns the target's path: bytes as sent, neither decoded nor cleaned.
func (r *Request) Path() []byte {
	_, path, _ := CutTarget(r.Target)
	return path
}

// CutTarget cuts a request target into authority, path and query, as sent. The
// authority is of an absolute target only (RFC 9112 section 3.2.2), without the
// userinfo; an empty path behind it is "/". It allocates nothing but that "/".
func CutTarget[T ~string | ~[]byte](target T) (authority, path, query T) {
	rest := target
	if n := schemeLen(target); n > 0 {
		rest = target[n:]
		for len(rest) > 0 && rest[0] != '/' && rest[0] != '?' {
			rest = rest[1:]
		}
		authority = target[n : len(target)-len(rest)]
		for i := range len(authority) {
			if authority[len(authority)-1-i] == '@' {
				authority = authority[len(authority)-i:]
				break
			}
		}
	}
	path = rest
	for i := range len(rest) {
		if rest[i] == '?' {
			path, query = rest[:i], rest[i+1:]
			break
		}
	}
	if len(path) == 0 && len(authority) > 0 {
		path = T("/")
	}
	return authority, path, query
}

// schemeLen is the length of a scheme and "://", 0 when target has none.
func schemeLen[T ~string | ~[]byte](target T) int {
	for i := range len(target) {
		switch c := lower(target[i]); {
		case 'a' <= c && c <= 'z', i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':' && len(target) > i+2 && target[i+1] == '/' && target[i+2] == '/':
			return i + len("://")
		default:
			return 0
		}
	}
	return 0
}

// WantsUpgrade reports whether the request asks for another protocol: an
// Upgrade header exists and a Connection header, of which there may be several
// lines, lists "upgrade". What does not is plain HTTP.
func (r *Request) WantsUpgrade() bool {
	return r.hasToken("Connection", "upgrade") && r.Values("Upgrade") > 0
}

// WantsWebSocket is WantsUpgrade of a request that lists "websocket". Others
// may be answered as plain HTTP (RFC 9110 section 7.8): curl and Java offer h2c
// with requests of any kind.
func (r *Request) WantsWebSocket() bool {
	return r.hasToken("Connection", "upgrade") && r.hasToken("Upgrade", "websocket")
}
