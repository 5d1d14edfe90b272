package engine

import (
	"crypto/tls"
	"errors"

	"github.com/roost-ws/roost/codec"
)

// handshake holds the beginning of a header block that came in parts.
type handshake struct {
	head    []byte // from the loop's bytes
	scanned int
	pending *pending         // no request will come: it is here
	client  *clientHandshake // we are the client: it is an answer that comes
}

// end gives up: the connection ended first.
func (hs *handshake) end(b *codec.Bytes, err error) {
	b.Put(hs.head)
	if hs.pending != nil && hs.pending.verdict != nil {
		hs.pending.verdict.cancel()
	}
	if hs.client != nil {
		hs.client.tell(errors.Join(ErrHandshakeEnded, err))
	}
}

// handshake reads a connection's request and, when it is whole, answers. Like
// receive it returns the marks under which to read again.
func (s *scratch) handshake(c *Conn, marks uint32) (again uint32) {
	if marks&(markRead|markHangup|markKick) == 0 || !c.reads() {
		return 0
	}
	if c.is(flagTLS) && !c.ext.tls.handshake() {
		return 0 // it has read all that there is: a hang-up's end too
	}
	hs := c.takeHead()
	if hs.pending != nil {
		return s.carryOut(c, hs.pending, marks)
	}
	if hs.client != nil {
		hs.client.send(c)
	}
	have := copy(s.buf, hs.head)
	n, ok := c.read(s.buf[have:])
	s.n.bytesIn += n
	if c.is(flagDeaf) {
		c.keepHead(&hs) // its end tells whoever waits
		if !ok {
			return 0
		}
		return more(n, len(s.buf)-have, marks)
	}
	if !ok {
		c.keepHead(&hs)
		return 0
	}
	in := s.buf[:have+n]
	end, err := codec.ScanHead(in, hs.scanned, min(c.policy.maxHead, len(s.buf)))
	again = more(n, len(s.buf)-have, marks)
	if err == nil && end == 0 {
		if cap(hs.head) < len(in) {
			hs.head = c.loop.bytes.Grow(hs.head, len(in))
		}
		hs.head = append(hs.head[:have], in[have:]...)
		hs.scanned = len(in)
		c.keepHead(&hs)
		return again
	}
	c.loop.bytes.Put(hs.head) // in has a copy, and a hook may panic
	hs.head = nil
	s.headCame(c, &hs, in, end, err)
	return again
}

// headCame deals with a header block that is whole, or no good.
func (s *scratch) headCame(c *Conn, hs *handshake, in []byte, end int, err error) {
	switch {
	case err != nil && hs.client != nil:
		hs.client.tell(badHead(err, c.policy.maxHead))
		c.Terminate()
	case err != nil:
		c.refuse(err)
	case hs.client != nil:
		s.answered(c, hs.client, in[:end], in[end:])
	default:
		s.request(c, in[:end], in[end:])
	}
}

// tlsState is nil without TLS.
func (c *Conn) tlsState() *tls.ConnectionState {
	switch {
	case c.ext != nil && c.ext.far != nil:
		return c.ext.far.tls
	case !c.is(flagTLS):
		return nil
	}
	state := c.ext.tls.conn.ConnectionState()
	return &state
}

// takeHead returns what has come of the header block so far. What waits for a
// verdict stays where it is, and so does who waits in Dial, until he is told.
func (c *Conn) takeHead() (hs handshake) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ext == nil || c.ext.hs == nil {
		return hs
	}
	hs = *c.ext.hs
	switch {
	case hs.client != nil:
		c.ext.hs = &handshake{client: hs.client}
	case hs.pending == nil || hs.pending.verdict == nil:
		c.ext.hs = nil
	}
	return hs
}

// keepHead remembers it until the next turn.
func (c *Conn) keepHead(hs *handshake) {
	if hs.head == nil && hs.client == nil {
		return
	}
	kept := *hs
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extra().hs = &kept
}

// request deals with a whole header block and the bytes that came behind it.
func (s *scratch) request(c *Conn, head, rest []byte) {
	if err := s.req.Parse(head); err != nil {
		c.refuse(err)
		return
	}
	srv := c.policy.srv
	if !s.req.WantsUpgrade() || srv.plain.http != nil && !s.req.WantsWebSocket() {
		srv.plain.take(c, head, rest)
		return
	}
	r := &s.asked
	*r = Request{raw: &s.req, conn: c, tls: c.tlsState()}
	defer func() { *r = Request{} }()
	up, err := srv.examine(r)
	if err != nil {
		c.turnAway(srv.answer(err, r))
		return
	}
	if srv.opts.VerifyClientAsync != nil {
		// The head was parsed once without error, so it is again.
		kept := new(codec.Request)
		_ = kept.Parse(append([]byte(nil), head...))
		r.raw = kept
		srv.ask(c, &pending{req: *r, up: up, rest: append([]byte(nil), rest...)})
		return
	}
	if err = srv.decide(&up, r); err != nil {
		c.refuse(err)
		return
	}
	s.admit(c, r, &up, rest)
}

// admit makes c an open WebSocket, and goes on with what came behind the request.
func (s *scratch) admit(c *Conn, r *Request, up *upgrade, rest []byte) {
	s.answer = codec.AppendSwitching(s.answer[:0], r.key(), up.protocol, up.extensions, up.header)
	if c.open(s.answer, up) {
		c.opened(r)
		s.decode(c, rest)
	}
}

// open answers with 101 and makes c an open WebSocket. It reports false when it
// was terminated meanwhile.
func (c *Conn) open(answer []byte, up *upgrade) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.is(flagDeaf|flagBroken) || c.ReadyState() != Connecting {
		return false
	}
	if answer != nil {
		c.raw(answer)
	} else {
		c.ext.hs = nil // a client's
	}
	c.setState(Open)
	c.set(flagOpened)
	if up.protocol != "" {
		c.extra().protocol = up.protocol
	}
	if up.deflate != nil {
		c.extra().deflate = up.deflate
		c.set(flagDeflate)
	}
	if c.is(flagTLS) {
		c.ext.tls.trim()
	}
	c.begin()
	return true
}

// opened calls the handler.
func (c *Conn) opened(r *Request) {
	c.loop.stats.opened.Add(1)
	h := c.handler.Load()
	if h.Open != nil {
		h.Open(c, r)
	}
	if own := c.handler.Load(); own != h && own.Open != nil {
		own.Open(c, r) // of OnOpen
	}
}

// raw queues bytes that are no frame. Under mu, within a turn.
func (c *Conn) raw(p []byte) {
	room := c.out.room(len(p), &c.loop.bytes)
	room.b = append(room.b, p...)
	c.out.size += len(p)
}
