package codec

import (
	"fmt"
	"strconv"
)

// Tri is a setting that may be left to the peer.
type Tri int8

// Unset follows the peer, True forces, False refuses.
const (
	Unset Tri = iota
	True
	False
)

// WindowBits is the base-2 logarithm of an LZ77 window, 8 to 15 (256 B to
// 32 KiB), or 0 for "what the peer wants", or [NoWindowBits].
type WindowBits int8

// NoWindowBits refuses to limit the window.
const NoWindowBits WindowBits = -1

const (
	minWindowBits = 8
	maxWindowBits = 15 // RFC 7692 7.1.2: what holds without the parameter
)

// DeflateConfig says what one side wants of permessage-deflate (RFC 7692). The
// zero value compresses with context takeover in both directions, as the peer
// likes; a nil *DeflateConfig is the extension switched off. It is read only,
// so several goroutines may share it.
type DeflateConfig struct {
	// ServerNoContextTakeover makes the server forget its history after each
	// message. True forces it, and a server with False refuses offers that ask
	// for it.
	ServerNoContextTakeover Tri
	// ClientNoContextTakeover is the same for the client. A server with False
	// still grants it to the client that asks; a client with False refuses a
	// response that demands it.
	ClientNoContextTakeover Tri
	// ServerMaxWindowBits limits the server's window. A server with a number
	// answers it, and refuses offers that limit it to less; with NoWindowBits it
	// refuses offers that limit it at all.
	ServerMaxWindowBits WindowBits
	// ClientMaxWindowBits limits the client's window. A server with a number
	// answers it, and refuses offers that lack the parameter or name less; with
	// NoWindowBits it leaves the parameter out of the response.
	ClientMaxWindowBits WindowBits
	// Threshold is the size in bytes from which a message is worth compressing:
	// 0 is 1024, negative compresses everything. As in Node's ws it is for
	// the caller to apply, to the first fragment, on behalf of the whole message,
	// and only where our own side has no context takeover: with one, small
	// messages gain the most.
	Threshold int
	// Level is the effort, from 1 (fast) to 9 (small); 0 is 1.
	Level int
}

// DeflateParams is what both sides agreed on. The bits are 8 to 15.
type DeflateParams struct {
	ServerNoContextTakeover bool
	ClientNoContextTakeover bool
	ServerBits              uint8 // of the window the server compresses with
	ClientBits              uint8 // of the window the client compresses with
}

// Validate returns an error that names the first field with an impossible value.
func (c *DeflateConfig) Validate() error {
	for _, f := range []struct {
		name  string
		value int
		ok    bool
	}{
		{"ServerNoContextTakeover", int(c.ServerNoContextTakeover), c.ServerNoContextTakeover.valid()},
		{"ClientNoContextTakeover", int(c.ClientNoContextTakeover), c.ClientNoContextTakeover.valid()},
		{"ServerMaxWindowBits", int(c.ServerMaxWindowBits), c.ServerMaxWindowBits.valid()},
		{"ClientMaxWindowBits", int(c.ClientMaxWindowBits), c.ClientMaxWindowBits.valid()},
	} {
		if !f.ok {
			return fmt.Errorf("codec: DeflateConfig.%s is %d: use the constants, or 8 to 15 for window bits", f.name, f.value)
		}
	}
	if c.Level < 0 || c.Level > 9 {
		return fmt.Errorf("codec: DeflateConfig.Level is %d: use 1 (fast) to 9 (small), or 0 for 1", c.Level)
	}
	return nil
}

func (t Tri) valid() bool { return t >= Unset && t <= False }

func (w WindowBits) valid() bool {
	return w == 0 || w == NoWindowBits || w >= minWindowBits && w <= maxWindowBits
}

const deflateName = "permessage-deflate"

// The parameters, in the order in which forced ones join a response.
const (
	paramServerNoTakeover = iota
	paramClientNoTakeover
	paramServerBits
	paramClientBits
	paramCount
)

func deflateParamName(p int) string {
	return [paramCount]string{
		"server_no_context_takeover", "client_no_context_takeover",
		"server_max_window_bits", "client_max_window_bits",
	}[p]
}

// bare is the value of a parameter that has none.
const bare = -1

// deflateOffer is one permessage-deflate element, of a request or a response.
type deflateOffer struct {
	value [paramCount]int8  // 0 absent, bare, or 8 to 15
	order [paramCount]uint8 // the first n: as they stand in the header
	n     int
}

func (o *deflateOffer) set(p int, value int8) {
	if o.value[p] == 0 {
		o.order[o.n] = uint8(p)
		o.n++
	}
	o.value[p] = value
}

func (o *deflateOffer) has(p int) bool { return o.value[p] != 0 }

// String is the element as it goes into a header. A parameter whose value was
// taken back to 0 is left out.
func (o *deflateOffer) String() string {
	s := deflateName
	for _, p := range o.order[:o.n] {
		if v := o.value[p]; v != 0 {
			s += "; " + deflateParamName(int(p))
			if v != bare {
				s += "=" + strconv.Itoa(int(v))
			}
		}
	}
	return s
}

func (o *deflateOffer) agreed() DeflateParams {
	bits := func(p int) uint8 {
		if v := o.value[p]; v > 0 {
			return uint8(v)
		}
		return maxWindowBits
	}
	return DeflateParams{
		ServerNoContextTakeover: o.has(paramServerNoTakeover),
		ClientNoContextTakeover: o.has(paramClientNoTakeover),
		ServerBits:              bits(paramServerBits),
		ClientBits:              bits(paramClientBits),
	}
}

// newDeflateOffer checks the parameters of one element (RFC 7692 7.1). Numbers
// are plain decimals without a leading zero.
func newDeflateOffer(e extension) (o deflateOffer, ok bool) {
	for _, param := range e.params {
		p := 0
		for p < paramCount && deflateParamName(p) != param.name {
			p++
		}
		if p == paramCount || o.has(p) {
			return o, false
		}
		value, ok := deflateParamValue(p, param.value)
		if !ok {
			return o, false
		}
		o.set(p, value)
	}
	return o, true
}

func deflateParamValue(p int, s string) (value int8, ok bool) {
	if s == "" {
		return bare, p != paramServerBits
	}
	if p == paramServerNoTakeover || p == paramClientNoTakeover {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	ok = err == nil && n >= minWindowBits && n <= maxWindowBits && s == strconv.Itoa(n)
	return int8(n), ok
}

// deflateOffers returns the permessage-deflate elements of list; one that is
// malformed fails them all.
func deflateOffers(list []extension) (offers []deflateOffer, ok bool) {
	for _, e := range list {
		if e.name != deflateName {
			continue
		}
		o, ok := newDeflateOffer(e)
		if !ok {
			return nil, false
		}
		offers = append(offers, o)
	}
	return offers, true
}
