package engine

import (
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

	// PerMessageDeflate offers compression (RFC 7692); nil does not. It is only read.
	PerMessageDeflate *DeflateOptions
	// DeflateConcurrency is the most compressions and inflations at once; 0 is one
	// a usable core.
	DeflateConcurrency int

	MaxPayload         int64 // bytes of one message; 0 is 100 MiB
	MaxFragments       int   // frames of one message; 0 is 16,384
	MaxHeader          int   // bytes of the request's header block; 0 is 8 KiB
	MaxOutbox          int   // bytes queued for one connection; 0 is 16 MiB
	SlowPolicy         SlowPolicy
	MaxConnsPerIP      int  // connections from one address; 0 is no limit
	DisableAutoPong    bool // answer pings in Handler.Ping instead
	SkipUTF8Validation bool // take text and close reasons as they come

	HandshakeTimeout time.Duration // 0 is 10 s
	IdleTimeout      time.Duration // nothing came for so long: close 1001; 0 is off
	PingInterval     time.Duration // nothing came for so long: ping; for twice: terminate; 0 is off
	CloseTimeout     time.Duration // from our close frame to the end; 0 is 30 s
	WriteTimeout     time.Duration // the kernel took nothing for so long: terminate; 0 is off
}

func (o *ServerOptions) check() error {
	if o.Addr != "" {
		if _, _, err := net.SplitHostPort(o.Addr); err != nil {
			return fmt.Errorf("engine: Addr %q: want host:port: %w", o.Addr, err)
		}
	}
	if o.PerMessageDeflate != nil {
		if err := o.PerMessageDeflate.Validate(); err != nil {
			return fmt.Errorf("engine: PerMessageDeflate: %w", err)
		}
	}
	if o.SlowPolicy > SlowDrop {
		return fmt.Errorf("engine: SlowPolicy %d: want SlowClose or SlowDrop", o.SlowPolicy)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"HandshakeTimeout", o.HandshakeTimeout}, {"IdleTimeout", o.IdleTimeout},
		{"PingInterval", o.PingInterval}, {"CloseTimeout", o.CloseTimeout}, {"WriteTimeout", o.WriteTimeout},
	} {
		if d.value > maxTimeout {
			return fmt.Errorf("engine: %s %v: want at most %v", d.name, d.value, maxTimeout)
		}
	}
	return nil
}

// maxTimeout keeps sums of ticks far from their end.
const maxTimeout = 30 * 24 * time.Hour
