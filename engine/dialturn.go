package engine

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/roost-ws/roost/codec"
)

// clientHandshake is what a dialled connection remembers until it is open.
type clientHandshake struct {
	req       *http.Request
	key       string
	protocols []string
	deflate   *DeflateOptions
	sent      bool
	done      chan error // has room for the outcome
}

// ErrHandshakeEnded: the connection ended before the server had answered.
var ErrHandshakeEnded = errors.New("engine: the connection ended during the handshake")

// tell tells Dial of the outcome, the first time.
func (hs *clientHandshake) tell(err error) {
	select {
	case hs.done <- err:
	default:
	}
}

// send queues the request, once.
func (hs *clientHandshake) send(c *Conn) {
	if hs.sent {
		return
	}
	hs.sent = true
	p := codec.AppendUpgradeRequest(nil, hs.req.Host, hs.req.RequestURI, hs.key, hs.protocols, hs.deflate.Offer(), hs.req.Header)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw(p)
}

// answered deals with the server's whole header block and the bytes behind it.
func (s *scratch) answered(c *Conn, hs *clientHandshake, head, rest []byte) {
	up, err := hs.check(head)
	if err != nil {
		hs.tell(err)
		c.Terminate()
		return
	}
	if !c.open(nil, &up) {
		hs.tell(ErrHandshakeEnded)
		return
	}
	hs.tell(nil)
	c.opened(&Request{http: hs.req, conn: c, tls: c.tlsState(), from: c.RemoteAddr()})
	s.decode(c, rest)
}

// badHead is ScanHead's refusal in the words of a client.
func badHead(err error, limit int) error {
	if errors.Is(err, codec.ErrHeadTooLarge) {
		return &codec.DialError{Msg: fmt.Sprintf("Response with a header block larger than %d bytes", limit)}
	}
	return &codec.DialError{Msg: "Malformed response: " + err.Error()}
}

// check is RFC 6455 section 4.1's list for the client.
func (hs *clientHandshake) check(head []byte) (up upgrade, err error) {
	var res codec.Response
	if err = res.Parse(head); err != nil {
		return up, err
	}
	if up.protocol, err = res.CheckAccept(hs.key, hs.protocols); err != nil {
		return up, err
	}
	if res.Values("Sec-WebSocket-Extensions") == 0 {
		return up, nil
	}
	params, ok, err := hs.deflate.Accept(res.Joined("Sec-WebSocket-Extensions"))
	if err != nil {
		return up, err
	}
	if !ok {
		return up, &codec.DialError{Msg: "Invalid Sec-WebSocket-Extensions header", Status: res.Status} // empty
	}
	up.deflate = newDeflate(params, true)
	return up, nil
}
