package loadtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/roost-ws/roost/codec"
)

// Options are what all scenarios share: whom to connect to and how. It is only
// read.
type Options struct {
	URL       string      // ws://host[:port]/path?query, or wss
	More      []string    // URLs of more servers; connections take all in turn
	Header    http.Header // more fields for the handshake; those RFC 6455 gives a meaning are ignored
	Protocols []string    // subprotocols to offer; one of them must be chosen

	// TLS is for wss; nil trusts the system's roots. Its ServerName is the URL's
	// host when empty, and one record holds as much as it may whatever it says.
	TLS *tls.Config
	// Deflate is the offer of permessage-deflate; nil makes none. A server may
	// leave it off, which [Connections].Deflated tells.
	Deflate *Deflate

	Conns       int           // connections to open, at least 1
	ConnectRate float64       // connections begun a second; 0 = as many as Dialing lets
	Dialing     int           // handshakes under way at a time; 0 = 256
	Timeout     time.Duration // for connect and handshake of one connection; 0 = 10 s
	Sources     []netip.Addr  // local addresses, used in turn; empty = the kernel's choice
	slow        slowShare     // of the connections have a small receive buffer
	Loops       int           // goroutines that drive connections; 0 = 1

	// ServerPIDs are the server's processes, for its CPU and memory. When empty
	// and the server is on this machine, they are looked for.
	ServerPIDs []int

	// Scrape, when not nil, reads figures that the server tells of itself, once a second, from a
	// goroutine of its own; they go into the samples under the names that it gives.
	Scrape func(context.Context) (map[string]float64, error)

	// Part is this process's part of a run that several do together; all else here
	// is of the whole run. Meet, when not nil, is called at each moment at which
	// the parts wait for each other (MeetReady …), and returns when all are there, or
	// ctx ends: since when, on this machine's clock, which is the same moment for all parts. Its error
	// ends the run.
	Part Part
	Meet func(ctx context.Context, moment string) (since time.Time, err error)
	// Histograms has each Latency of the report carry its histogram, which
	// [Merge] needs after a report went through JSON.
	Histograms bool

	// Notice is told what the preflight found, before the first connection;
	// Progress is called several times a second. Both are called from Run's
	// goroutine, and may be nil.
	Notice   func(Notice)
	Progress func(Progress)

	firstConn int  // the number of this part's first connection
	allConns  int  // of all parts
	whole     bool // the scenario is not one that several processes may do
	// sourcesHere is the number of source addresses of all parts on this machine.
	sourcesHere int
}

// Deflate is an offer of permessage-deflate (RFC 7692).
type Deflate struct {
	NoContextTakeover bool // asked of both sides: neither keeps a window between messages
	Level             int  // of what we send: 1 (fast) to 9 (small); 0 = 1
}

// offer is nil for a nil d.
func (d *Deflate) offer() *codec.DeflateConfig {
	if d == nil {
		return nil
	}
	c := &codec.DeflateConfig{Level: d.Level}
	if d.NoContextTakeover {
		c.ServerNoContextTakeover, c.ClientNoContextTakeover = codec.True, codec.True
	}
	return c
}

const (
	defaultDialing = 256
	defaultTimeout = 10 * time.Second

	// maxConns keeps a run's numbers in 32 bits.
	maxConns = 1 << 26
)

// ErrOptions is what all errors about a scenario's options wrap.
var ErrOptions = errors.New("loadtest")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrOptions, fmt.Errorf(format, args...))
}

func (o *Options) normalize() error {
	if o.Conns < 1 || o.Conns > maxConns {
		return invalid("%d connections: want 1 to %d", o.Conns, maxConns)
	}
	if o.ConnectRate < 0 || o.Dialing < 0 || o.Timeout < 0 || o.Loops < 0 {
		return invalid("connect rate, handshakes at a time, timeout and loops must not be negative")
	}
	if c := o.Deflate.offer(); c != nil {
		if err := c.Validate(); err != nil {
			return invalid("%w", err)
		}
	}
	if err := o.Part.check(o.Conns); err != nil {
		return err
	}
	if o.Dialing == 0 {
		o.Dialing = defaultDialing
	}
	o.firstConn, o.allConns = o.Part.first(o.Conns), o.Conns
	o.sourcesHere = len(o.Sources)
	if n := o.Part.parts(); o.Part.SameMachine && len(o.Sources) >= n {
		var mine []netip.Addr
		for i := o.Part.Index; i < len(o.Sources); i += n {
			mine = append(mine, o.Sources[i])
		}
		o.Sources = mine
	}
	o.Conns, o.Dialing = o.Part.count(o.Conns), max(1, o.Part.count(o.Dialing))
	o.ConnectRate = o.Part.rate(o.ConnectRate)
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	o.Loops = min(max(o.Loops, 1), o.Conns)
	if o.Notice == nil {
		o.Notice = func(Notice) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return nil
}

// maxSources bounds a range that was mistyped.
const maxSources = 1 << 16

// ParseSources reads source addresses: addresses and ranges of them
// ("127.0.0.2-127.0.0.60"), separated by commas. Errors wrap [ErrOptions].
func ParseSources(list string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, item := range strings.Split(list, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(item), "-")
		if !isRange {
			to = from
		}
		first, err := netip.ParseAddr(from)
		if err != nil {
			return nil, invalid("source address %q: %w", item, err)
		}
		last, err := netip.ParseAddr(to)
		if err != nil {
			return nil, invalid("source address %q: %w", item, err)
		}
		if last.Less(first) || last.BitLen() != first.BitLen() {
			return nil, invalid("source address %q: the range must run upwards within one family", item)
		}
		for a := first; a.IsValid() && !last.Less(a); a = a.Next() {
			if len(all) == maxSources {
				return nil, invalid("source address %q: more than %d addresses", item, maxSources)
			}
			all = append(all, a)
		}
	}
	return all, nil
}
