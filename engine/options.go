package engine

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"
)

// ServerOptions say how a Server listens, whom it lets in and what it allows
// them. The zero value of each is the default named; -1 lifts a limit.
type ServerOptions struct {
	// Engine to live on; nil makes one from Config, which ends with the server.
	Engine *Engine
	Config Config

	// Addr is "host:port" to listen on; port 0 is an ephemeral one, an empty host
	// every address. An empty Addr listens nowhere: connections then come from an
	// http.Server, through HandleUpgrade.
	Addr string
	// ReusePort opens one listening socket a loop (SO_REUSEPORT), so that the
	// kernel spreads connections; another process of this user may then listen on
	// the same port too. Without it one loop accepts for all.
	ReusePort bool
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
	// HTTP answers requests on the same port that ask for no upgrade. nil
	// answers 426.
	HTTP http.Handler

	// Path, if set, is the only path that is upgraded: byte for byte, without the
	// query. Others are answered 400.
	Path string
	// ShouldHandle replaces the comparison with Path.
	ShouldHandle func(r *Request) bool
	// Verify lets a request in by returning nil. A *RejectError says what to answer
	// instead, any other error is 401. It may block unless Dispatch is DispatchLoop.
	Verify func(r *Request) error
	// HandleProtocols chooses among the subprotocols that the client offers, in its
	// order; "" is none. nil chooses the first. Not called when none is offered.
	HandleProtocols func(offered []string, r *Request) string
	// Headers may add to the 101 answer.
	Headers func(h http.Header, r *Request)

	// MaxConnsPerIP is the most connections from one address; 0 is no limit.
	MaxConnsPerIP int

	// What follows is as in ConnOptions.

	PerMessageDeflate  *DeflateOptions
	DeflateConcurrency int

	MaxPayload         int64
	MaxFragments       int
	MaxHeader          int
	MaxOutbox          int
	SlowPolicy         SlowPolicy
	DisableAutoPong    bool
	SkipUTF8Validation bool

	HandshakeTimeout time.Duration
	IdleTimeout      time.Duration
	PingInterval     time.Duration
	CloseTimeout     time.Duration
	WriteTimeout     time.Duration
}

func (o *ServerOptions) conns() *ConnOptions {
	return &ConnOptions{
		PerMessageDeflate: o.PerMessageDeflate, DeflateConcurrency: o.DeflateConcurrency,
		MaxPayload: o.MaxPayload, MaxFragments: o.MaxFragments, MaxHeader: o.MaxHeader,
		MaxOutbox: o.MaxOutbox, SlowPolicy: o.SlowPolicy,
		DisableAutoPong: o.DisableAutoPong, SkipUTF8Validation: o.SkipUTF8Validation,
		HandshakeTimeout: o.HandshakeTimeout, IdleTimeout: o.IdleTimeout, PingInterval: o.PingInterval,
		CloseTimeout: o.CloseTimeout, WriteTimeout: o.WriteTimeout,
	}
}

func (o *ServerOptions) check() error {
	if o.Addr != "" {
		if _, _, err := net.SplitHostPort(o.Addr); err != nil {
			return fmt.Errorf("engine: Addr %q: want host:port: %w", o.Addr, err)
		}
	}
	return o.conns().check()
}
