package loadtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/netip"

	"github.com/roost-ws/roost/codec"
)

// endpoint is one server that connections go to, and what they say to it. It does
// not change.
type endpoint struct {
	addr    netip.AddrPort
	request []byte // the upgrade request, with a key to be put in
	keyAt   int
	tls     *tls.Config // nil without TLS
}

func newEndpoint(o *Options, t target) endpoint {
	key := codec.NewKey()
	request := codec.AppendUpgradeRequest(nil, t.host, t.path, key, o.Protocols, o.Deflate.offer().Offer(), o.Header)
	return endpoint{addr: t.addr, request: request, keyAt: bytes.Index(request, []byte(key)), tls: t.tlsConfig(o.TLS)}
}

// maxURLs keeps an endpoint's number in a byte.
const maxURLs = 255

// targets looks all URLs up.
func (o *Options) targets(ctx context.Context) (all []target, err error) {
	if len(o.More) >= maxURLs {
		return nil, invalid("%d URLs: want at most %d", 1+len(o.More), maxURLs)
	}
	for _, u := range append([]string{o.URL}, o.More...) {
		t, err := resolve(ctx, u)
		if err != nil {
			return nil, err
		}
		if all = append(all, t); t.secure != all[0].secure {
			return nil, invalid("%s and %s: want all URLs with TLS, or none", o.URL, u)
		}
	}
	return all, nil
}

// endpoint is where c goes: in turn, until divert sends it elsewhere.
func (l *loop) endpoint(c *conn) *endpoint {
	if l.where == nil {
		return &l.endpoints[0]
	}
	return &l.endpoints[l.where[c.slot]]
}

// divert has c's next dial go to the next endpoint.
func (l *loop) divert(c *conn) {
	if l.where != nil {
		l.where[c.slot] = uint8((int(l.where[c.slot]) + 1) % len(l.endpoints))
	}
}

// spread gives connections their endpoints, in turn.
func (l *loop) spread() {
	l.byTarget = make([]targetCounts, len(l.endpoints))
	if len(l.endpoints) == 1 {
		return
	}
	l.where = make([]uint8, len(l.conns))
	for i := range l.where {
		l.where[i] = uint8(int(l.id(&l.conns[i])) % len(l.endpoints))
		l.byTarget[l.where[i]].wanted++
	}
}

// usesTLS reports whether connections are to use TLS.
func (p *plan) usesTLS() bool { return len(p.endpoints) > 0 && p.endpoints[0].tls != nil }
