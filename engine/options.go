package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// ServerOptions say how a Server listens, whom it lets in and what it allows
// them. The zero value of each is the default named; -1 lifts a limit.
type ServerOptions struct {
	// Engine to live on; nil makes one from Config, which ends with the server.
	Engine *Engine
	Config Config

	// Where connections come from: exactly one of Addr (or Port), Server and NoServer
	// is to be given, else NewServer returns ErrServerMode.

	// Addr is "host:port" to listen on; port 0 is an ephemeral one, an empty host
	// every address.
	Addr string
	// Host and Port are Addr in two parts; Port is made by the function of that
	// name, for 0 is a port and not the lack of one.
	Host string
	Port *int
	// Server is an http.Server that does not serve yet, plain or with TLS. Requests
	// for an upgrade on it come to us, until Close; all others go to its own
	// Handler. It is never started and never closed by us.
	Server *http.Server
	// NoServer listens nowhere: connections come through HandleUpgrade and
	// HandleUpgradeConn, or from an http.Server that has our Server as a handler.
	NoServer bool
	// ReusePort opens one listening socket a loop (SO_REUSEPORT), so that the
	// kernel spreads connections; another process of this user may then listen on
	// the same port too. Without it one loop accepts for all.
	ReusePort bool
	// Inherit are listening TCP sockets that somebody else has opened, a service
	// manager or the process before this one, to accept from in place of opening
	// Addr: what waits in their queues is served. Their addresses stay what they are.
	// They are the server's, unless NewServer returns an error.
	Inherit []int
	// Backlog is the length of the accept queue; 0 is what net.core.somaxconn
	// allows.
	Backlog int
	// RecvBuffer and SendBuffer are the kernel's socket buffers in bytes; 0 leaves
	// them to its tuning. DeferAccept and BusyPoll work on linux only.
	RecvBuffer, SendBuffer int
	DeferAccept, BusyPoll  time.Duration

	// TLS makes the listener speak TLS. Certificates are chosen and replaced by its
	// GetCertificate or GetConfigForClient. NextProtos is set to http/1.1, as
	// WebSockets need.
	TLS *tls.Config

	// Handler is what all connections begin with.
	Handler Handler
	// HTTP answers requests on the same port that ask for no WebSocket, other
	// upgrades they offer (h2c) ignored. nil answers 426, or 400 to those.
	HTTP http.Handler

	// Path, if set, is the only path that is upgraded: byte for byte, without the
	// query. Others are answered 400.
	Path string
	// ShouldHandle replaces the comparison with Path.
	ShouldHandle func(r *Request) bool
	// Verify, VerifyClient and VerifyClientAsync decide who is let in; one of them
	// at most may be set. The first two may block, unless Dispatch is DispatchLoop.

	// Verify lets a request in by returning nil. A *RejectError says what to answer
	// instead, any other error is 401.
	Verify func(r *Request) error
	// VerifyClient lets a request in by returning true; false is 401.
	VerifyClient func(info *VerifyInfo) bool
	// VerifyClientAsync decides later: it returns at once, and done is called when
	// the verdict is there, from any goroutine. Until then the connection waits
	// without a goroutine. See VerifyCallback. ctx ends with the wait: when the
	// verdict came, the peer left, HandshakeTimeout is over or the server closes.
	VerifyClientAsync func(ctx context.Context, info *VerifyInfo, done VerifyCallback)
	// HandleProtocols chooses among the subprotocols that the client offers, in its
	// order; "" is none. nil chooses the first. Not called when none is offered.
	HandleProtocols func(offered []string, r *Request) string
	// Headers may add to the 101 answer.
	Headers func(h http.Header, r *Request)
	// ClientError, if set, answers requests for an upgrade that break the rules of
	// the handshake: err is a *codec.HandshakeError. What it writes to w is all that
	// the peer gets before the connection is closed. Requests that another hook or
	// Path refuses do not come here.
	ClientError func(err error, w io.Writer, r *Request)

	// OnListening is called by NewServer when it listens, before any connection is
	// accepted; with an http.Server, by its Serve.
	OnListening func(s *Server)
	// OnError hears of what goes wrong with the listener after that, such as
	// descriptors that ran out. It is called on a goroutine of its own.
	OnError func(err error)
	// OnClose is called once, on a goroutine of its own, when the server is closed
	// for good: see Server.Close.
	OnClose func()

	// NoClientTracking keeps the server from knowing its connections: Clients is
	// empty, and without a listener of its own Close waits for none of them.
	NoClientTracking bool

	// MaxConnsPerIP is the most connections from one address; 0 is no limit.
	MaxConnsPerIP int
	// AcceptRate is how many connections a second are taken from the listener, for
	// long, and a quarter of that at once; 0 is no limit. Those above it are answered
	// 503 with a Retry-After of 1 to 8 s, before their request is read; under TLS,
	// where they could not read that, they wait in the kernel's queue (Backlog).
	AcceptRate int

	// What follows is as in ConnOptions.

	PerMessageDeflate  *DeflateOptions
	DeflateConcurrency int

	MaxPayload         int64
	MaxFragments       int
	MaxHeader          int
	MaxOutbox          int
	SlowPolicy         SlowPolicy
	SlowCode           CloseCode
	DisableAutoPong    bool
	SkipUTF8Validation bool

	MaxPendingAutoPongs int

	HandshakeTimeout time.Duration
	IdleTimeout      time.Duration
	IdleCode         CloseCode
	PingInterval     time.Duration
	CloseTimeout     time.Duration
	WriteTimeout     time.Duration
}

func (o *ServerOptions) conns() *ConnOptions {
	return &ConnOptions{
		PerMessageDeflate: o.PerMessageDeflate, DeflateConcurrency: o.DeflateConcurrency,
		MaxPayload: o.MaxPayload, MaxFragments: o.MaxFragments, MaxHeader: o.MaxHeader,
		MaxOutbox: o.MaxOutbox, SlowPolicy: o.SlowPolicy, SlowCode: o.SlowCode,
		DisableAutoPong: o.DisableAutoPong, SkipUTF8Validation: o.SkipUTF8Validation,
		MaxPendingAutoPongs: o.MaxPendingAutoPongs,
		HandshakeTimeout:    o.HandshakeTimeout, IdleTimeout: o.IdleTimeout, IdleCode: o.IdleCode, PingInterval: o.PingInterval,
		CloseTimeout: o.CloseTimeout, WriteTimeout: o.WriteTimeout,
	}
}

// ErrServerMode is returned by NewServer when its options say nothing of where
// connections come from, or more than one thing.
//
//lint:ignore ST1005 the words are those of Node's ws
var ErrServerMode = errors.New(`One and only one of the "port", "server", or "noServer" options must be specified`)

// Port makes ServerOptions.Port; 0 is an ephemeral port.
func Port(n int) *int { return &n }

func (o *ServerOptions) check() error {
	if count(o.Addr != "" || o.Port != nil, o.Server != nil, o.NoServer) != 1 {
		return ErrServerMode
	}
	if err := o.checkAddr(); err != nil {
		return err
	}
	if o.AcceptRate < 0 {
		return fmt.Errorf("engine: AcceptRate %d: want at least 1, or 0 for no limit", o.AcceptRate)
	}
	if o.TLS != nil && o.listenAddr() == "" {
		return errors.New("engine: TLS is for a listener of our own: give Addr or Port, or let the http.Server do it")
	}
	if count(o.Verify != nil, o.VerifyClient != nil, o.VerifyClientAsync != nil) > 1 {
		return errors.New("engine: more than one of Verify, VerifyClient and VerifyClientAsync is set: want one")
	}
	return o.conns().check()
}

func (o *ServerOptions) checkAddr() error {
	switch {
	case o.Addr != "" && (o.Host != "" || o.Port != nil):
		return fmt.Errorf("engine: Addr %q beside Host or Port: want one of the two", o.Addr)
	case o.Host != "" && o.Port == nil:
		return fmt.Errorf("engine: Host %q without Port: set Port, engine.Port(0) for an ephemeral one", o.Host)
	case o.Port != nil && (*o.Port < 0 || *o.Port > 65535):
		return fmt.Errorf("engine: Port %d: want 0 to 65535", *o.Port)
	case o.Addr != "":
		if _, _, err := net.SplitHostPort(o.Addr); err != nil {
			return fmt.Errorf("engine: Addr %q: want host:port: %w", o.Addr, err)
		}
	}
	return nil
}

// listenAddr is what to listen on, "" for nothing.
func (o *ServerOptions) listenAddr() string {
	if o.Port != nil {
		return net.JoinHostPort(o.Host, strconv.Itoa(*o.Port))
	}
	return o.Addr
}

func count(given ...bool) (n int) {
	for _, g := range given {
		if g {
			n++
		}
	}
	return n
}
