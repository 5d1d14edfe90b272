package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/roost-ws/roost/codec"
)

// Dialer opens WebSocket connections as a client. They live on an Engine like
// those of a server: none has a goroutine. It is only read, so several
// goroutines may use one at a time.
type Dialer struct {
	Engine  *Engine // needed
	Handler Handler

	// Header is sent with the request; what the handshake itself sets is left out.
	Header http.Header
	// Protocols are the subprotocols offered, the preferred one first.
	Protocols []string
	// TLS is for wss URLs; nil is the zero Config. ServerName is set to the host,
	// unless it is set.
	TLS *tls.Config
	// Proxy finds the proxy for a request; nil is http.ProxyFromEnvironment. Only
	// http proxies are known, by their CONNECT method.
	Proxy func(*http.Request) (*url.URL, error)
	// Net opens the TCP connection; nil is the zero net.Dialer.
	Net *net.Dialer

	Options ConnOptions
}

// Dial opens a connection to a ws or wss URL. It returns when the connection is
// open, or why it is not: a *codec.DialError for an answer that is no good, an
// error of net, or ctx's. Handler.Open is called from the engine, before the
// first message; its Request is the one that was sent.
func (d *Dialer) Dial(ctx context.Context, rawURL string) (*Conn, error) {
	if d.Engine == nil {
		return nil, errors.New("engine: Dialer.Engine is nil: make one with New")
	}
	if err := d.Options.check(); err != nil {
		return nil, err
	}
	req, shown, err := d.request(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	conn, err := d.connect(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("engine: dial %s: %w", shown, err)
	}
	fd, far, err := d.Engine.takeOver(conn)
	if err != nil {
		return nil, err
	}
	c, hs, err := d.begin(fd, far, req)
	if err != nil {
		return nil, err
	}
	select {
	case err = <-hs.done:
	case <-ctx.Done():
		err = ctx.Err()
		c.Terminate()
	}
	if err != nil {
		return nil, fmt.Errorf("engine: dial %s: %w", shown, err)
	}
	return c, nil
}

// request is the one to send, and its URL as errors may show it.
func (d *Dialer) request(ctx context.Context, rawURL string) (_ *http.Request, shown string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err // without the URL, which may hold a password
		}
		return nil, "", fmt.Errorf("engine: URL: %w", err)
	}
	shown = u.Redacted()
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	default:
		return nil, "", fmt.Errorf("engine: URL %q: want a ws:// or wss:// URL", shown)
	}
	if u.Fragment != "" || u.Host == "" {
		return nil, "", fmt.Errorf("engine: URL %q: want a host and no fragment", shown)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, "", fmt.Errorf("engine: %w", err)
	}
	req.RequestURI = u.RequestURI()
	for name, values := range d.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	return req, shown, nil
}

// hostPort is where u's server listens.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// connect opens the TCP connection, through a proxy where one is set.
func (d *Dialer) connect(ctx context.Context, req *http.Request) (net.Conn, error) {
	dialer, find := d.Net, d.Proxy
	if dialer == nil {
		dialer = new(net.Dialer)
	}
	if find == nil {
		find = http.ProxyFromEnvironment
	}
	proxy, err := find(req)
	if err != nil {
		return nil, err
	}
	if proxy == nil {
		return dialer.DialContext(ctx, "tcp", hostPort(req.URL))
	}
	if proxy.Scheme != "http" {
		return nil, fmt.Errorf("proxy %s: only http proxies are known", proxy.Redacted())
	}
	conn, err := dialer.DialContext(ctx, "tcp", hostPort(proxy))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	if err := tunnel(conn, proxy, hostPort(req.URL)); err != nil {
		stop()
		return nil, errors.Join(fmt.Errorf("proxy %s: %w", proxy.Redacted(), err), conn.Close())
	}
	if !stop() {
		return nil, ctx.Err() // which closes it
	}
	return conn, nil
}

// tunnel asks a proxy for a connection to target (RFC 9110 section 9.3.6).
func tunnel(conn net.Conn, proxy *url.URL, target string) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: make(http.Header)}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
		req.Header.Set("Proxy-Authorization", req.Header.Get("Authorization"))
		req.Header.Del("Authorization")
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	// The server behind speaks only when spoken to: nothing is read too much.
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("CONNECT %s: %s", target, res.Status)
	}
	return nil
}

// begin makes fd a connection of the engine, whose first turn sends the request.
func (d *Dialer) begin(fd int, far *far, req *http.Request) (*Conn, *clientHandshake, error) {
	if err := d.Engine.prepare(fd); err != nil {
		return nil, nil, err
	}
	p := newPolicy(nil, &d.Options)
	p.mask, p.limits.Client, p.deflated.Client = true, true, true
	hs := &clientHandshake{
		req: req, key: codec.NewKey(), protocols: d.Protocols,
		deflate: d.Options.PerMessageDeflate, done: make(chan error, 1),
	}
	c := newConn(d.Engine.pick(), &p, fd)
	handler := d.Handler
	c.handler.Store(&handler)
	x := c.extra()
	x.hs, x.far = &handshake{client: hs}, far
	if strings.EqualFold(req.URL.Scheme, "https") {
		config := d.TLS.Clone()
		if config == nil {
			config = new(tls.Config)
		}
		if config.ServerName == "" {
			config.ServerName = req.URL.Hostname()
		}
		config.NextProtos = []string{"http/1.1"}
		x.tls = newTLS(c, config, true)
		c.set(flagTLS)
	}
	c.enter()
	c.kick(markKick)
	return c, hs, nil
}
