package codec

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// AppendSwitching appends the answer that ends a handshake: 101, Upgrade,
// Connection, Sec-WebSocket-Accept, then Sec-WebSocket-Protocol and
// Sec-WebSocket-Extensions unless empty, then extra by name, sorted. Fields of
// extra that the handshake owns, or that would announce a body, are left out.
// Control characters in values become spaces, and a field whose name is not a
// token is left out: a hook cannot inject a line. It doesn't allocate when dst
// has room and extra is empty.
func AppendSwitching(dst, key []byte, protocol, extensions string, extra http.Header) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(AcceptKey(dst, key), "\r\n"...)
	dst = appendNegotiated(dst, protocol, extensions)
	for _, name := range fieldNames(extra) {
		if !handshakeOwns(name) {
			dst = appendFields(dst, name, extra[name])
		}
	}
	return append(dst, "\r\n"...)
}

// AppendReject appends a refusal: status line with the standard phrase (none
// for a status without one), Connection, Content-Type, Content-Length, extra
// by name, sorted, and as body msg, or the phrase when msg is empty. Connection
// and Content-Type of extra take the place of ours; Content-Length and
// Transfer-Encoding are left out, because the body is ours. Otherwise extra is
// treated as in AppendSwitching. A status outside 200 to 999 becomes 500. The
// connection is to be closed after it.
func AppendReject(dst []byte, status int, msg string, extra http.Header) []byte {
	if status < 200 || status > 999 {
		status = http.StatusInternalServerError
	}
	phrase := http.StatusText(status)
	if msg == "" {
		msg = phrase
	}
	names := fieldNames(extra)
	dst = append(strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(status), 10), ' ')
	dst = append(append(dst, phrase...), "\r\n"...)
	dst = appendOwn(dst, "Connection", "close", names, extra)
	dst = appendOwn(dst, "Content-Type", "text/html", names, extra)
	dst = strconv.AppendInt(append(dst, "Content-Length: "...), int64(len(msg)), 10)
	dst = append(dst, "\r\n"...)
	for _, name := range names {
		if !rejectOwns(name) {
			dst = appendFields(dst, name, extra[name])
		}
	}
	return append(append(dst, "\r\n"...), msg...)
}

// AppendUpgradeRequest appends a client's handshake: GET target, Host, Upgrade,
// Connection, key, version 13, then protocols and extensions unless empty, then
// extra by name, sorted (Origin, Authorization, Cookie). Fields of extra that
// the handshake owns are left out. What would break the request line or a
// header line is percent-encoded in target (empty means "/"), removed from
// host, and treated as in AppendSwitching elsewhere.
func AppendUpgradeRequest(dst []byte, host, target, key string, protocols []string, extensions string, extra http.Header) []byte {
	dst = appendTarget(append(dst, "GET "...), target)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	for i := range len(host) {
		if host[i] > ' ' && host[i] != 0x7f {
			dst = append(dst, host[i])
		}
	}
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"...)
	dst = appendField(dst, "Sec-WebSocket-Key", key)
	dst = append(dst, "Sec-WebSocket-Version: 13\r\n"...)
	dst = appendNegotiated(dst, strings.Join(protocols, ", "), extensions)
	for _, name := range fieldNames(extra) {
		if !handshakeOwns(name) && !asciiFold(name, "Host") {
			dst = appendFields(dst, name, extra[name])
		}
	}
	return append(dst, "\r\n"...)
}

func appendTarget(dst []byte, target string) []byte {
	if target == "" {
		return append(dst, '/')
	}
	const hex = "0123456789ABCDEF"
	for i := range len(target) {
		if c := target[i]; c > ' ' && c != 0x7f {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

func appendNegotiated(dst []byte, protocol, extensions string) []byte {
	if protocol != "" {
		dst = appendField(dst, "Sec-WebSocket-Protocol", protocol)
	}
	if extensions != "" {
		dst = appendField(dst, "Sec-WebSocket-Extensions", extensions)
	}
	return dst
}

// handshakeOwns names the fields that must stand once and as negotiated, and
// those a 101 and a GET without body must not carry.
func handshakeOwns(name string) bool {
	for _, own := range [...]string{
		"Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "Sec-WebSocket-Accept", "Sec-WebSocket-Key",
		"Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
	} {
		if asciiFold(name, own) {
			return true
		}
	}
	return false
}

func rejectOwns(name string) bool {
	return asciiFold(name, "Connection") || asciiFold(name, "Content-Type") ||
		asciiFold(name, "Content-Length") || asciiFold(name, "Transfer-Encoding")
}

// appendOwn appends a field of ours, or the one among names that replaces it.
func appendOwn(dst []byte, own, value string, names []string, extra http.Header) []byte {
	for _, name := range names {
		if asciiFold(name, own) && len(extra[name]) > 0 {
			return appendFields(dst, own, extra[name])
		}
	}
	return appendField(dst, own, value)
}

// fieldNames returns the names of h that are tokens, sorted: a map has no
// order, and answers should not differ from one to the next.
func fieldNames(h http.Header) []string {
	if len(h) == 0 {
		return nil
	}
	names := make([]string, 0, len(h))
	for name := range h {
		if isToken(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func appendFields(dst []byte, name string, values []string) []byte {
	for _, v := range values {
		dst = appendField(dst, name, v)
	}
	return dst
}

// appendField appends a line. http.Header spells a name "Sec-Websocket-X"; it
// goes out as RFC 6455 spells it, since some peers compare case.
func appendField(dst []byte, name, value string) []byte {
	if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
		dst = append(append(dst, "Sec-WebSocket-"...), rest...)
	} else {
		dst = append(dst, name...)
	}
	dst = append(dst, ": "...)
	for i := range len(value) {
		if c := value[i]; isValueByte(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, ' ')
		}
	}
	return append(dst, "\r\n"...)
}
