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

// upgradeOr is h for all but requests for an upgrade, which a client may also
// send on a connection that was plain HTTP at first.
func (s *Server) upgradeOr(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state, ok := r.Context().Value(tlsKey{}).(*tls.ConnectionState); ok {
			r.TLS = state
		}
		if codec.WantsUpgrade(r) {
			s.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ServeHTTP makes a Server an http.Handler that upgrades every request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { _ = s.HandleUpgrade(w, r) }

// HandleUpgrade upgrades a request of an http.Server, or answers why not; the
// error, for a log, says so too. It returns when the connection is the engine's:
// the handler may return, and its goroutine, its buffers and net/http's
// descriptor are free. Handler.Open is called from the engine.
func (s *Server) HandleUpgrade(w http.ResponseWriter, r *http.Request) error {
	req := Request{http: r}
	up, err := s.check(&req)
	if err != nil {
		s.refuseHTTP(w, err)
		return err
	}
	addr, err := s.room(&req)
	if err != nil {
		s.refuseHTTP(w, err)
		return err
	}
	adopted := false
	defer func() {
		if !adopted {
			s.leave(addr)
		}
	}()
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		err = fmt.Errorf("engine: the connection cannot be taken over from net/http: %w", err)
		s.refuseHTTP(w, &codec.HandshakeError{Status: http.StatusUpgradeRequired, Msg: "WebSocket needs HTTP/1.1"})
		return err
	}
	fd, err := takeOver(conn)
	if err != nil {
		return err
	}
	head, err := unread(rw.Reader, conn)
	if err != nil {
		return errors.Join(err, sock.Close(fd))
	}
	answer := codec.AppendSwitching(nil, []byte(r.Header.Get("Sec-WebSocket-Key")), up.protocol, up.extensions, up.header)
	err = s.adopt(fd, addr, &pending{req: req, answer: answer, up: up, rest: head})
	adopted = err == nil
	return err
}

// room finds out whether the limits leave room for r's connection, and counts it
// in for its address, if connections of an address are counted.
func (s *Server) room(r *Request) (addr remoteKey, err error) {
	if most := s.e.cfg.MaxConns; most > 0 && s.e.conns.Load() >= int64(most) {
		return addr, &codec.HandshakeError{Status: http.StatusServiceUnavailable, Msg: "Too many connections"}
	}
	from, ok := r.RemoteAddr().(*net.TCPAddr)
	if s.opts.MaxConnsPerIP <= 0 || !ok {
		return addr, nil
	}
	addr = from.AddrPort().Addr().Unmap()
	if !s.enter(addr) {
		return remoteKey{}, &codec.HandshakeError{Status: http.StatusTooManyRequests, Msg: "Too many connections from your address"}
	}
	return addr, nil
}

// refuseHTTP answers through net/http in the shape of our own listener's answers.
func (s *Server) refuseHTTP(w http.ResponseWriter, err error) {
	conn, rw, herr := http.NewResponseController(w).Hijack()
	if herr != nil {
		http.Error(w, "Upgrade Required", http.StatusUpgradeRequired)
		return
	}
	defer conn.Close()
	_, _ = rw.Write(answerTo(err))
	_ = rw.Flush()
}

// takeOver makes a descriptor of conn, which it closes or keeps: closing gives back
// its netFD, its pollDesc and, of net/http, its goroutine and buffers.
func takeOver(conn net.Conn) (int, error) {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return -1, errors.Join(fmt.Errorf("engine: %w", err), conn.Close())
	}
	fd, bridged, err := descriptor(conn)
	if bridged && err == nil {
		return fd, nil
	}
	return fd, errors.Join(err, conn.Close())
}

// descriptor duplicates conn's. A connection that is none of the kernel's, or is
// encrypted by somebody else, has none of use: it gets a bridge.
func descriptor(conn net.Conn) (fd int, bridged bool, err error) {
	if r, ok := conn.(*readConn); ok && r.tls == nil {
		conn = r.Conn
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		fd, err = bridge(conn)
		return fd, true, err
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, false, fmt.Errorf("engine: %w", err)
	}
	if cerr := raw.Control(func(p uintptr) { fd, err = sock.Dup(int(p)) }); cerr != nil {
		err = cerr
	}
	if err != nil {
		return -1, false, fmt.Errorf("engine: %w", err)
	}
	return fd, false, nil
}

// unread returns what net/http read beyond the request: frames that came with it.
func unread(r *bufio.Reader, conn net.Conn) ([]byte, error) {
	p, err := r.Peek(r.Buffered())
	head := append([]byte(nil), p...)
	if rc, ok := conn.(*readConn); ok {
		head = append(head, rc.head...)
	}
	return head, err
}

// pending is an upgrade that was decided on before the engine had the connection.
type pending struct {
	req    Request
	answer []byte
	up     upgrade
	rest   []byte
}

// adopt makes fd a connection of the engine, whose first turn carries out p.
func (s *Server) adopt(fd int, addr remoteKey, p *pending) error {
	if fd >= maxFDs {
		return errors.Join(fmt.Errorf("engine: descriptor %d: the table ends at %d", fd, maxFDs), sock.Close(fd))
	}
	// net/http sets it too; a listener of the user's own may not have.
	if err := sock.NoDelay(fd); err != nil && err != syscall.EOPNOTSUPP && err != syscall.ENOPROTOOPT {
		return errors.Join(fmt.Errorf("engine: %w", err), sock.Close(fd))
	}
	l := s.e.pick()
	l.stats.accepted.Add(1)
	c := newConn(l, &s.policy, fd)
	p.req.conn = c
	x := c.extra()
	x.hs, x.addr = &handshake{pending: p}, addr
	c.enter()
	c.kick(markKick)
	return nil
}

// carryOut is the first turn of an adopted connection.
func (s *scratch) carryOut(c *Conn, p *pending) {
	if c.open(p.answer, &p.up) {
		c.opened(&p.req)
		s.decode(c, p.rest)
	}
}
