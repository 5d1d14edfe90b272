package codec

import (
	"bytes"
	"slices"
	"strconv"
)

// DialError says why a client must not go on with a handshake. The texts are
// those of ws.
type DialError struct {
	Msg    string
	Status int // of the response; 0 when it was not understood
}

// Error returns Msg.
func (e *DialError) Error() string { return e.Msg }

// Response is one parsed response header block. Its slices alias the block and
// are valid while the block is. The zero value is ready for Parse; parsing
// again reuses the memory of Fields. Not for several goroutines at once.
type Response struct {
	Status int
	Phrase []byte
	Minor  int // of HTTP/1.Minor
	Fields     // at most MaxFields
}

// Parse takes a block as ScanHead delimits it. The error is a *DialError. It
// does not allocate once Fields has grown.
func (r *Response) Parse(head []byte) error {
	*r = Response{Fields: r.Fields[:0]}
	line, rest, ok := cutLine(head)
	if !ok || !r.parseLine(line) {
		return &DialError{Msg: "Malformed status line"}
	}
	if err := r.Fields.parse(rest); err != nil {
		return &DialError{Msg: "Malformed response: " + err.Error(), Status: r.Status}
	}
	return nil
}

// parseLine wants "HTTP/1.x SP 3DIGIT", and after it nothing or SP and a phrase
// (RFC 9112 section 4).
func (r *Response) parseLine(line []byte) bool {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	status, phrase, _ := bytes.Cut(rest, []byte(" "))
	major, minor, ok := parseVersion(version)
	if !ok || major != 1 || len(status) != 3 || status[0] < '1' || !validLength(status) || !validValue(phrase) {
		return false
	}
	for _, c := range status {
		r.Status = r.Status*10 + int(c-'0')
	}
	r.Minor, r.Phrase = minor, phrase
	return true
}

// CheckAccept applies the rules of RFC 6455 section 4.1 to the answer to a
// request with this key and these protocols, and returns the protocol chosen,
// a copy. As in ws, a server that chooses none of those offered is refused.
// Sec-WebSocket-Extensions is left to the caller, who knows what it offered.
// The error is a *DialError.
func (r *Response) CheckAccept(key string, protocols []string) (protocol string, err error) {
	if r.Status != 101 {
		return "", r.fail("Unexpected server response: " + strconv.Itoa(r.Status))
	}
	if !asciiFold(r.only("Upgrade"), "websocket") {
		return "", r.fail("Invalid Upgrade header")
	}
	if !r.hasToken("Connection", "upgrade") {
		return "", r.fail("Invalid Connection header")
	}
	var buf [28]byte
	if want := AcceptKey(buf[:0], []byte(key)); !bytes.Equal(want, r.only("Sec-WebSocket-Accept")) {
		return "", r.fail("Invalid Sec-WebSocket-Accept header")
	}
	protocol = r.Joined("Sec-WebSocket-Protocol")
	switch sent := r.Values("Sec-WebSocket-Protocol") > 0; {
	case !sent && len(protocols) > 0:
		return "", r.fail("Server sent no subprotocol")
	case sent && len(protocols) == 0:
		return "", r.fail("Server sent a subprotocol but none was requested")
	case sent && !slices.Contains(protocols, protocol):
		return "", r.fail("Server sent an invalid subprotocol")
	}
	return protocol, nil
}

func (r *Response) fail(msg string) *DialError { return &DialError{Msg: msg, Status: r.Status} }
