package engine

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/roost-ws/roost/codec"
)

// Request is the HTTP request that asked for the upgrade. It is valid until the
// hook or handler that got it returns; HTTP makes a copy that lives on.
type Request struct {
	raw  *codec.Request // of our own listener, or
	http *http.Request  // of an http.Server
	conn *Conn
	tls  *tls.ConnectionState
	from net.Addr // of a connection that the engine does not have yet
}

// Method returns the request's method.
func (r *Request) Method() string {
	if r.raw != nil {
		return string(r.raw.Method)
	}
	return r.http.Method
}

// Target returns the request target as it was sent, query included.
func (r *Request) Target() string {
	if r.raw != nil {
		return string(r.raw.Target)
	}
	return r.http.RequestURI
}

// Path returns the target's path, not decoded: also of an absolute target
// ("http://host/path"), as is sent to proxies.
func (r *Request) Path() string {
	if r.raw != nil {
		return string(r.raw.Path())
	}
	_, path, _ := codec.CutTarget(r.http.RequestURI)
	return path
}

// Query returns the target's query, parsed; malformed pairs are left out.
func (r *Request) Query() url.Values {
	_, _, query := codec.CutTarget(r.Target())
	v, _ := url.ParseQuery(query)
	return v
}

// Header returns a header's values, joined by ", "; "" when there is none. Names
// are case-insensitive. An absolute target's authority stands for Host's value,
// whatever that is.
func (r *Request) Header(name string) string {
	host := strings.EqualFold(name, "Host")
	switch {
	case r.raw != nil:
		if host {
			if authority, _, _ := codec.CutTarget(r.raw.Target); len(authority) > 0 {
				return string(authority)
			}
		}
		return r.raw.Joined(name)
	case host:
		return r.http.Host
	}
	return strings.Join(r.http.Header.Values(name), ", ")
}

// key is the Sec-WebSocket-Key.
func (r *Request) key() []byte {
	if r.raw != nil {
		return r.raw.Get("Sec-WebSocket-Key")
	}
	return []byte(r.http.Header.Get("Sec-WebSocket-Key"))
}

// lookup is Header that tells an empty value from none.
func (r *Request) lookup(name string) (value string, ok bool) {
	if r.raw != nil {
		return r.raw.Joined(name), r.raw.Values(name) > 0
	}
	return r.Header(name), len(r.http.Header.Values(name)) > 0
}

// Origin returns the Origin header, for version 8 of the protocol
// Sec-WebSocket-Origin. A browser always sends it and a page cannot forge it.
func (r *Request) Origin() string {
	if r.Header("Sec-WebSocket-Version") == "8" {
		return r.Header("Sec-WebSocket-Origin")
	}
	return r.Header("Origin")
}

// Secure reports whether the connection is encrypted.
func (r *Request) Secure() bool { return r.TLS() != nil }

// TLS returns the state of the encryption, nil when there is none.
func (r *Request) TLS() *tls.ConnectionState {
	if r.tls == nil && r.http != nil {
		return r.http.TLS
	}
	return r.tls
}

// RemoteAddr returns the peer's address, nil when it is none of TCP.
func (r *Request) RemoteAddr() net.Addr {
	switch {
	case r.http == nil:
		return r.conn.RemoteAddr()
	case r.from != nil:
		return r.from
	}
	// Before the engine has the connection, net/http's word is all there is.
	from, err := netip.ParseAddrPort(r.http.RemoteAddr)
	if err != nil {
		return nil
	}
	return net.TCPAddrFromAddrPort(from)
}

// HTTP returns the request as net/http has it, without a body. It is a copy: it
// stays valid.
func (r *Request) HTTP() (*http.Request, error) {
	if r.http != nil {
		return r.http, nil
	}
	remote := ""
	if a := r.RemoteAddr(); a != nil {
		remote = a.String()
	}
	return r.raw.HTTP(remote, r.tls)
}

// RejectError is returned by ServerOptions.Verify to say how a request is
// refused.
type RejectError struct {
	Status int         // 0 is 401
	Msg    string      // the body; "" is the status's phrase
	Header http.Header // further headers
}

func (e *RejectError) Error() string {
	return fmt.Sprintf("engine: request rejected with %d %s", e.Status, e.Msg)
}
