package engine

import (
	"fmt"
	"time"

	"github.com/roost-ws/roost/codec"
)

// ConnOptions are what a Dialer says of its connections, and a server of its own. The
// zero value of each is the default named; -1 lifts a limit.
type ConnOptions struct {
	// PerMessageDeflate agrees to compression (RFC 7692); nil does not. It is only
	// read.
	PerMessageDeflate *DeflateOptions
	// DeflateConcurrency is the most compressions and inflations at once; 0 is one
	// a usable core.
	DeflateConcurrency int

	MaxPayload   int64 // bytes of one message, inflated; 0 is 100 MiB
	MaxFragments int   // frames of one message; 0 is 131,072
	MaxHeader    int   // bytes of the handshake's header block; 0 is 8 KiB, ReadBuffer the most
	// MaxOutbox is the most bytes queued for one connection; 0 is 16 MiB. It is less than
	// MaxPayload's default on purpose: who sends back what comes sets both. While a message
	// is sent in fragments, what waits for its end counts for itself, up to as much again.
	MaxOutbox          int
	SlowPolicy         SlowPolicy
	SlowCode           CloseCode // of SlowClose: what waits is dropped and this sent; 0 terminates
	DisableAutoPong    bool      // answer pings in Handler.Ping instead
	SkipUTF8Validation bool      // take text and close reasons as they come

	// MaxPendingAutoPongs is the most answers to pings that wait for a peer which
	// does not read; at so many the connection is terminated. 0 is 60.
	MaxPendingAutoPongs int

	HandshakeTimeout time.Duration // 0 is 10 s
	IdleTimeout      time.Duration // nothing came for so long, no pong either: close with IdleCode; 0 is off
	IdleCode         CloseCode     // 0 is 1001
	PingInterval     time.Duration // nothing came for so long: ping; for twice: terminate, without an IdleTimeout; 0 is off
	CloseTimeout     time.Duration // from our close frame to the end; 0 is 30 s
	WriteTimeout     time.Duration // the kernel took nothing for so long: terminate; 0 is off
}

// maxTimeout keeps sums of ticks far from their end.
const maxTimeout = 30 * 24 * time.Hour

func (o *ConnOptions) check() error {
	if o.PerMessageDeflate != nil {
		if err := o.PerMessageDeflate.Validate(); err != nil {
			return fmt.Errorf("engine: PerMessageDeflate: %w", err)
		}
	}
	if o.SlowPolicy > SlowDrop {
		return fmt.Errorf("engine: SlowPolicy %d: want SlowClose or SlowDrop", o.SlowPolicy)
	}
	for _, code := range []CloseCode{o.SlowCode, o.IdleCode} {
		if code == 0 {
			continue
		}
		if err := codec.CheckClose(code, ""); err != nil {
			return fmt.Errorf("engine: SlowCode %d, IdleCode %d: %w", o.SlowCode, o.IdleCode, err)
		}
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
