package codec

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// HTTP returns the request as net/http would have parsed it, for hooks. It
// copies everything; Body is http.NoBody whatever the headers say. remote is
// the peer's address as "IP:port", state nil without TLS. The error is a
// *HandshakeError with 400: the target is not a URI.
func (r *Request) HTTP(remote string, state *tls.ConnectionState) (*http.Request, error) {
	target := string(r.Target)
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, refuse("Malformed request target")
	}
	header := r.Fields.header()
	host := u.Host
	if host == "" {
		host = header.Get("Host")
	}
	header.Del("Host") // net/http keeps it in Request.Host only
	return &http.Request{
		Method: string(r.Method), URL: u, RequestURI: target, Host: host,
		Proto: "HTTP/1." + string(rune('0'+r.Minor)), ProtoMajor: 1, ProtoMinor: r.Minor,
		Header: header, Body: http.NoBody, RemoteAddr: remote, TLS: state,
	}, nil
}

// header copies the fields under canonical names. All names and values are cut
// from one string and all first values from one slice, so that a block costs
// four allocations and not three a line.
func (f Fields) header() http.Header {
	size := 0
	for i := range f {
		size += len(f[i].Name) + len(f[i].Value)
	}
	var all strings.Builder
	all.Grow(size)
	for i := range f {
		writeCanonical(&all, f[i].Name)
		all.Write(f[i].Value)
	}
	h, firsts, rest := make(http.Header, len(f)), make([]string, len(f)), all.String()
	for i := range f {
		n, end := len(f[i].Name), len(f[i].Name)+len(f[i].Value)
		name, value := rest[:n], rest[n:end]
		rest = rest[end:]
		if got := h[name]; got != nil {
			h[name] = append(got, value)
			continue
		}
		firsts[i] = value
		h[name] = firsts[i : i+1 : i+1]
	}
	return h
}

// writeCanonical writes a token as http.CanonicalHeaderKey spells it: upper
// case at the start and after each '-', lower case elsewhere.
func writeCanonical(w *strings.Builder, token []byte) {
	last := byte('-')
	for _, c := range token {
		c = lower(c)
		if last == '-' && 'a' <= c && c <= 'z' {
			c -= 0x20
		}
		w.WriteByte(c)
		last = c
	}
}

// CheckHTTP applies the rules of CheckUpgrade to a request that net/http has
// parsed, and refuses with 400 when no Connection header lists "upgrade".
// The error is a *HandshakeError.
func CheckHTTP(r *http.Request) error {
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		return errUpgradeBody
	}
	err := checkUpgrade(r.Method, onlyOf(r, "Upgrade"), onlyOf(r, "Sec-Websocket-Key"), onlyOf(r, "Sec-Websocket-Version"))
	if err != nil {
		return err
	}
	if !WantsWebSocket(r) {
		return refuse("Invalid Connection header")
	}
	return nil
}

// WantsWebSocket is [Request.WantsWebSocket] for a request that net/http has parsed.
func WantsWebSocket(r *http.Request) bool {
	lists := func(name, token string) bool {
		return slices.ContainsFunc(r.Header[name], func(list string) bool { return listHas(list, token) })
	}
	return lists("Connection", "upgrade") && lists("Upgrade", "websocket")
}

// onlyOf returns the value of a field that must not be repeated: "" when it is.
func onlyOf(r *http.Request, canonical string) string {
	if v := r.Header[canonical]; len(v) == 1 {
		return v[0]
	}
	return ""
}
