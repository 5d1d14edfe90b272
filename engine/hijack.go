package engine

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
)

func dup(fd int) (int, error) { return sock.Dup(fd) }

// upgradeOr is h for all but requests for a WebSocket, which a client may also
// send on a connection that was plain HTTP at first.
func (s *Server) upgradeOr(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state, ok := r.Context().Value(tlsKey{}).(*tls.ConnectionState); ok {
			r.TLS = state
		}
		if codec.WantsWebSocket(r) {
			s.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ServeHTTP makes a Server an http.Handler that upgrades every request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { _ = s.HandleUpgrade(w, r) }

// ErrUpgradedTwice is returned by HandleUpgrade and HandleUpgradeConn for a
// connection that was handed over before. What became of it then is not touched.
var ErrUpgradedTwice = errors.New("HandleUpgrade() was called more than once with the same socket, possibly due to a misconfiguration")

// HandleUpgrade upgrades a request of an http.Server, or answers why not; the
// error, for a log, says so too. It returns when the connection is the engine's:
// the handler may return, and its goroutine, its buffers and net/http's
// descriptor are free. Handler.Open is called from the engine, with
// VerifyClientAsync when the verdict lets in.
func (s *Server) HandleUpgrade(w http.ResponseWriter, r *http.Request) error {
	req := Request{http: r}
	up, addr, answer, err := s.vet(&req)
	if err != nil {
		return s.refuseHTTP(w, answer, err)
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.leave(addr)
		return s.refuseHTTP(w, nil, err)
	}
	head, err := unread(rw.Reader, conn)
	if err != nil {
		s.leave(addr)
		return errors.Join(err, conn.Close())
	}
	return s.adopt(conn, addr, &pending{req: req, up: up, rest: head})
}

// HandleUpgradeConn upgrades a connection that somebody else accepted: any
// net.Conn, of TCP, TLS or memory. With r, that is the request which was read from
// it, and head what was read behind it; without, head is the beginning of the
// request, or nothing. conn is the server's from then on, also when an error is
// returned: it was answered and closed. head may be changed again.
func (s *Server) HandleUpgradeConn(conn net.Conn, r *http.Request, head []byte) error {
	head = append([]byte(nil), head...)
	if r == nil {
		return s.handleHead(conn, head)
	}
	req := Request{http: r, from: conn.RemoteAddr(), tls: stateOf(conn)}
	up, addr, answer, err := s.vet(&req)
	if err != nil {
		return errors.Join(err, s.turnAway(conn, answer))
	}
	return s.adopt(conn, addr, &pending{req: req, up: up, rest: head})
}

// handleHead is HandleUpgradeConn for a request that the engine reads itself.
func (s *Server) handleHead(conn net.Conn, head []byte) error {
	end, err := codec.ScanHead(head, 0, s.policy.maxHead)
	if err != nil {
		return errors.Join(err, s.turnAway(conn, answerTo(err)))
	}
	addr, err := s.room(conn.RemoteAddr())
	if err != nil {
		return errors.Join(err, s.turnAway(conn, answerTo(err)))
	}
	return s.adopt(conn, addr, &pending{head: head[:end], rest: head[end:]})
}

// vet is examine and, unless the verdict comes later, decide. With an error comes
// the answer that tells the peer, without one a place under addr.
func (s *Server) vet(r *Request) (up upgrade, addr remoteKey, answer []byte, err error) {
	if up, err = s.examine(r); err != nil {
		return up, addr, s.answer(err, r), err
	}
	switch {
	case s.opts.VerifyClientAsync == nil:
		err = s.decide(&up, r)
	case s.closing.Load():
		err = &RejectError{Status: http.StatusServiceUnavailable}
	}
	if err == nil {
		addr, err = s.room(r.RemoteAddr())
	}
	if err != nil {
		return up, addr, answerTo(err), err
	}
	return up, addr, nil, nil
}

// room finds out whether the limits leave room for a connection from remote, and
// counts it in for its address, if connections of an address are counted.
func (s *Server) room(remote net.Addr) (addr remoteKey, err error) {
	if most := s.e.cfg.MaxConns; most > 0 && s.e.conns.Load() >= int64(most) {
		return addr, &codec.HandshakeError{Status: http.StatusServiceUnavailable, Msg: "Too many connections"}
	}
	from, ok := remote.(*net.TCPAddr)
	if s.opts.MaxConnsPerIP <= 0 || !ok {
		return addr, nil
	}
	addr = from.AddrPort().Addr().Unmap()
	if !s.enter(addr) {
		return remoteKey{}, &codec.HandshakeError{Status: http.StatusTooManyRequests, Msg: "Too many connections from your address"}
	}
	return addr, nil
}

// refuseHTTP answers through net/http in the shape of our own listener's answers,
// and returns why. Without an answer it is the taking over that failed.
func (s *Server) refuseHTTP(w http.ResponseWriter, answer []byte, why error) error {
	if answer != nil {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, werr := rw.Write(answer)
			return errors.Join(why, werr, rw.Flush(), conn.Close())
		}
		if !errors.Is(err, http.ErrHijacked) {
			http.Error(w, "Upgrade Required", http.StatusUpgradeRequired)
		}
		return why
	}
	if errors.Is(why, http.ErrHijacked) {
		return ErrUpgradedTwice
	}
	w.Header().Set("Upgrade", "websocket")
	http.Error(w, "WebSocket needs HTTP/1.1", http.StatusUpgradeRequired)
	return fmt.Errorf("engine: the connection cannot be taken over from net/http: %w", why)
}

// turnAway answers on a connection that is not the engine's, and closes it.
func (s *Server) turnAway(conn net.Conn, answer []byte) error {
	err := conn.SetDeadline(time.Now().Add(span(s.opts.HandshakeTimeout, defaultHandshake)))
	_, werr := conn.Write(answer)
	return errors.Join(err, werr, conn.Close())
}

// unread returns what net/http read beyond the request: frames that came with it.
func unread(r *bufio.Reader, conn net.Conn) ([]byte, error) {
	p, err := r.Peek(r.Buffered())
	head := append([]byte(nil), p...)
	if rc, ok := conn.(*readConn); ok {
		head = append(head, rc.head...)
		rc.head = nil // a bridge reads on from rc
	}
	return head, err
}

// pending is an upgrade whose request is not in a worker's buffer: it came from
// somebody else, or waits for its verdict.
type pending struct {
	req     Request
	up      upgrade
	head    []byte // the request, if it is whole and not parsed; req is nothing then
	rest    []byte // what came behind it, or the beginning of a request
	verdict *verdict
}

// adopt makes conn a connection of the engine, whose first turn goes on with p.
func (s *Server) adopt(conn net.Conn, addr remoteKey, p *pending) error {
	fd, far, err := s.e.takeOver(conn)
	if err != nil {
		s.leave(addr)
		return err
	}
	if err := s.e.prepare(fd); err != nil {
		s.leave(addr)
		return err
	}
	l := s.e.pick()
	l.stats.accepted.Add(1)
	c := newConn(l, &s.policy, fd)
	p.req.conn = c
	x := c.extra()
	x.hs, x.far = &handshake{pending: p}, far
	if addr.IsValid() {
		x.addr = &addr
	}
	c.enter()
	c.kick(markKick)
	return nil
}

// prepare makes fd fit for the engine and counts it in, or closes it.
func (e *Engine) prepare(fd int) (err error) {
	e.conns.Add(1) // first: an engine that closes waits for whom it counts
	switch {
	case e.closing.Load():
		err = ErrClosed
	case fd >= maxFDs:
		err = fmt.Errorf("engine: descriptor %d: the table ends at %d", fd, maxFDs)
	default:
		// net/http sets it too; a listener of the user's own may not have.
		if e := e.sys.NoDelay(fd); e != nil && e != syscall.EOPNOTSUPP && e != syscall.ENOPROTOOPT {
			err = fmt.Errorf("engine: %w", e)
		}
	}
	if err != nil {
		err = errors.Join(err, e.sys.Close(fd))
		e.left()
	}
	return err
}

// carryOut goes on with p. Like receive it returns the marks under which to read.
func (s *scratch) carryOut(c *Conn, p *pending, marks uint32) (again uint32) {
	again = markRead | marks&markHangup
	switch {
	case p.verdict != nil:
		return s.await(c, p, marks)
	case len(p.head) > 0:
		s.request(c, p.head, p.rest)
	case p.req.http == nil:
		hs := handshake{scanned: len(p.rest)}
		if len(p.rest) > 0 {
			hs.head = append(c.loop.bytes.Get(len(p.rest))[:0], p.rest...)
		}
		c.keepHead(&hs)
	case c.policy.srv.opts.VerifyClientAsync != nil:
		c.policy.srv.ask(c, p)
	default:
		s.admit(c, &p.req, &p.up, p.rest)
	}
	return again
}
