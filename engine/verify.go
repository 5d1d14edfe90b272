package engine

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"github.com/roost-ws/roost/codec"
)

// VerifyInfo is what VerifyClient decides by.
type VerifyInfo struct {
	Origin string // see Request.Origin
	Secure bool   // the connection is encrypted
	// Req is the request. VerifyClient may use it until it returns,
	// VerifyClientAsync until the verdict is given. Its TLS method has the client's
	// certificate.
	Req *Request
}

func infoOf(r *Request) *VerifyInfo {
	return &VerifyInfo{Origin: r.Origin(), Secure: r.Secure(), Req: r}
}

// VerifyCallback gives the verdict: true lets the request in. False refuses it with
// the status code, 0 for 401, the body name, "" for the status's phrase, and further
// headers; they stand for nothing when result is true. The first call counts, and
// does not block; later ones do nothing. A verdict on a peer that left is lost, and
// one that comes after the server's Close cannot let in any more: the answer was 503.
type VerifyCallback func(result bool, code int, name string, header http.Header)

// verdict is what a connection waits for in state Connecting.
type verdict struct {
	given  atomic.Pointer[RejectError] // admitted, or how to refuse
	cancel context.CancelFunc
}

// admitted is the verdict that lets in; it is only compared.
var admitted = new(RejectError)

// give is the verdict, the first time.
func (v *verdict) give(c *Conn, e *RejectError) {
	if v.given.CompareAndSwap(nil, e) {
		c.kick(markKick)
	}
}

// ask hands p's request to VerifyClientAsync and lets c wait. While it does, nothing
// is read from it: readiness is only looked at for the peer's leaving.
// Holder of the turn only.
func (s *Server) ask(c *Conn, p *pending) {
	ctx, cancel := context.WithCancel(context.Background())
	v := &verdict{cancel: cancel}
	p.verdict = v
	c.wait(p)
	info := infoOf(&p.req)
	done := func(result bool, code int, name string, header http.Header) {
		if result {
			v.give(c, admitted)
			return
		}
		v.give(c, &RejectError{Status: code, Msg: name, Header: header})
	}
	var err error
	func() {
		defer s.contain(&err)
		s.opts.VerifyClientAsync(ctx, info, done)
	}()
	if err != nil {
		done(false, http.StatusInternalServerError, "", nil)
	}
	if s.closing.Load() {
		c.kick(markKick) // Close may have looked before c waited
	}
}

// await goes on with a connection that waits for its verdict. Holder of the turn
// only.
func (s *scratch) await(c *Conn, p *pending, marks uint32) (again uint32) {
	srv, e := c.policy.srv, p.verdict.given.Load()
	const readOn = markRead | markHangup // what came meanwhile was not acted on (R7)
	var err error
	switch {
	case c.is(flagFailed): // its time was over
		c.waited()
		return readOn
	case marks&markHangup != 0 && s.left(c, p):
		c.Terminate()
		return 0
	case srv.closing.Load():
		err = &RejectError{Status: http.StatusServiceUnavailable}
	case e == nil:
		return 0
	case e != admitted:
		err = e
	default:
		err = srv.settle(&p.up, &p.req)
	}
	c.waited()
	if err != nil {
		c.refuse(err)
		return readOn
	}
	s.admit(c, &p.req, &p.up, p.rest)
	return readOn
}

// left finds out whether the peer of a connection that waits has left: the hang-up may
// have been meant for another (R4). What is read on the way is kept; from a peer that
// sent more than a buffer of it, the verdict is waited for. Holder of the turn only.
func (s *scratch) left(c *Conn, p *pending) bool {
	for len(p.rest) < len(s.buf) {
		n, ok := c.read(s.buf)
		if !ok {
			return c.is(flagEOF)
		}
		s.n.bytesIn += n
		p.rest = append(p.rest, s.buf[:n]...)
	}
	return false
}

// wait keeps p for the turns to come, until waited.
func (c *Conn) wait(p *pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extra().hs = &handshake{pending: p}
}

func (c *Conn) waited() {
	c.mu.Lock()
	hs := c.ext.hs
	c.ext.hs = nil
	c.mu.Unlock()
	hs.pending.verdict.cancel()
}

// giveUp ends a handshake because the server closes: at once, but for who waits for
// a verdict and is told.
func (c *Conn) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.ext; x != nil && x.hs != nil && x.hs.pending != nil {
		c.kick(markKick)
		return
	}
	c.kill()
}

// decide runs the hooks of a server whose verdict does not wait.
func (s *Server) decide(up *upgrade, r *Request) (err error) {
	defer s.contain(&err)
	switch {
	case s.opts.Verify != nil:
		err = s.opts.Verify(r)
	case s.opts.VerifyClient != nil && !s.opts.VerifyClient(infoOf(r)):
		err = new(RejectError)
	}
	if err != nil {
		return err
	}
	return s.settle(up, r)
}

// contain is deferred around hooks: one that panics refuses its request with 500.
func (s *Server) contain(err *error) {
	v := recover()
	if v == nil {
		return
	}
	s.e.panics.Add(1)
	s.e.log.Error("panic in a hook: request answered with 500", "panic", v, "stack", string(debug.Stack()))
	*err = &RejectError{Status: http.StatusInternalServerError}
}

// answer is the response to a request that examine refused.
func (s *Server) answer(refusal error, r *Request) []byte {
	var he *codec.HandshakeError
	if s.opts.ClientError == nil || !errors.As(refusal, &he) {
		return answerTo(refusal)
	}
	var w answerWriter
	var err error
	func() {
		defer s.contain(&err)
		s.opts.ClientError(refusal, &w, r)
	}()
	if err != nil {
		return answerTo(err)
	}
	return w
}

// answerWriter collects what ClientError writes.
type answerWriter []byte

func (w *answerWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}
