package loadtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// target is a URL taken apart and its host resolved.
type target struct {
	addr   netip.AddrPort
	host   string // as in the Host field
	name   string // as in the certificate
	path   string // request target: path and query
	secure bool   // wss
}

// resolve looks the host up.
func resolve(ctx context.Context, raw string) (target, error) {
	if raw == "" {
		return target{}, invalid("an empty URL: want ws://host:port/path or wss://host:port/path")
	}
	if !strings.Contains(raw, "://") {
		return target{}, invalid("%s: a URL begins with ws:// or wss://: try ws://%s", raw, raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, invalid("%w", err)
	}
	port := u.Port()
	switch {
	case u.Scheme == "http" || u.Scheme == "https":
		return target{}, invalid("%s: a WebSocket URL begins with ws:// or wss://: try %s", raw, "ws"+strings.TrimPrefix(raw, "http"))
	case u.Scheme != "ws" && u.Scheme != "wss":
		return target{}, invalid("%s: want ws://host:port/path or wss://host:port/path", raw)
	case u.Hostname() == "":
		return target{}, invalid("%s: no host; want ws://host:port/path", raw)
	case u.User != nil:
		return target{}, invalid("%s: a name or password in the URL; give it as an Authorization field", u.Redacted())
	case port == "" && u.Scheme == "wss":
		port = "443"
	case port == "":
		port = "80"
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return target{}, invalid("%s: port %q: want 1 to 65535", raw, port)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return target{}, fmt.Errorf("loadtest: %w", err)
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	// As curl and browsers on loopback: servers that listen on one family
	// mostly listen on IPv4.
	slices.SortStableFunc(ips, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return target{
		addr: netip.AddrPortFrom(ips[0], uint16(number)), host: u.Host, name: u.Hostname(),
		path: u.RequestURI(), secure: u.Scheme == "wss",
	}, nil
}

// tlsConfig is what the connections to t need, nil without TLS.
func (t *target) tlsConfig(given *tls.Config) *tls.Config {
	if !t.secure {
		return nil
	}
	c := &tls.Config{}
	if given != nil {
		c = given.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = t.name
	}
	if len(c.NextProtos) == 0 {
		c.NextProtos = []string{"http/1.1"} // some servers would speak HTTP/2
	}
	c.DynamicRecordSizingDisabled = true
	return c
}
