package engine

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
	"github.com/roost-ws/roost/poller"
)

// listener is one listening descriptor. But for srv and fd it belongs to its
// loop's goroutine.
type listener struct {
	srv     *Server
	loop    *loop
	fd      int
	spread  bool // connections go to all loops, not to this one
	ready   bool // there may be more to accept
	starved bool // out of descriptors or memory: tried again every tick
}

// acceptBatch bounds what one turn of a loop accepts.
const acceptBatch = 64

func (s *Server) listen() error {
	listen := s.opts.listenAddr()
	tcp, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return fmt.Errorf("engine: Addr %q: %w", listen, err)
	}
	addr := tcp.AddrPort()
	if !addr.Addr().IsValid() {
		addr = netip.AddrPortFrom(netip.IPv6Unspecified(), addr.Port())
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	n := 1
	if s.opts.ReusePort {
		n = len(s.e.loops)
	}
	for i := range n {
		fd, err := s.open(&addr)
		if err != nil {
			return err
		}
		in := &listener{srv: s, loop: s.e.loops[i], fd: fd, spread: n == 1}
		s.listeners = append(s.listeners, in)
		if i == 0 {
			s.addr = s.e.sys.Local(fd)
			if a, ok := s.addr.(*net.TCPAddr); ok {
				addr = netip.AddrPortFrom(addr.Addr(), a.AddrPort().Port())
			}
		}
	}
	s.listening(s.addr)
	for _, in := range s.listeners {
		in.loop.post(order{kind: orderListen, in: in})
	}
	return nil
}

// open listens on addr, and on all IPv4 addresses where the machine has no IPv6.
func (s *Server) open(addr *netip.AddrPort) (int, error) {
	o := sock.Options{
		Backlog: s.opts.Backlog, ReusePort: s.opts.ReusePort,
		RecvBuffer: s.opts.RecvBuffer, SendBuffer: s.opts.SendBuffer,
		DeferAccept: s.opts.DeferAccept, BusyPoll: s.opts.BusyPoll,
	}
	fd, err := s.e.sys.Listen(*addr, o)
	if err != nil && addr.Addr() == netip.IPv6Unspecified() {
		*addr = netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())
		fd, err = s.e.sys.Listen(*addr, o)
	}
	if err != nil {
		return -1, fmt.Errorf("engine: %w", err)
	}
	return fd, nil
}

// listen begins to accept. Loop only, as is all that follows.
func (l *loop) listen(in *listener) {
	if err := l.poll.Update(in.fd, 0, poller.Readable); err != nil {
		l.e.log.Error("cannot watch the listener", "err", err)
		in.srv.report(fmt.Errorf("engine: cannot watch the listener: %w", err))
	}
	l.listeners = append(l.listeners, in)
}

func (l *loop) unlisten(in *listener) {
	for i, x := range l.listeners {
		if x == in {
			l.listeners = append(l.listeners[:i], l.listeners[i+1:]...)
			in.close()
			return
		}
	}
}

func (in *listener) close() {
	if err := in.loop.sys.Close(in.fd); err != nil {
		in.loop.e.log.Error("closing the listener failed", "err", err)
	}
}

// accept takes what waits on the listeners, in portions, so that those already
// connected do not wait for a flood.
func (l *loop) accept() {
	for _, in := range l.listeners {
		for i := 0; in.ready && i < acceptBatch; i++ {
			in.acceptOne()
		}
	}
}

func (in *listener) acceptOne() {
	fd, from, err := in.loop.sys.Accept(in.fd)
	switch err {
	case nil:
		if in.starved {
			in.starved = false
			in.loop.e.log.Info("accepting again")
		}
		in.admit(fd, from)
	case syscall.EAGAIN:
		in.ready = false
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
		// The connections wait in the backlog; an edge will not tell of them again.
		in.ready = false
		if !in.starved {
			in.starved = true
			in.loop.e.log.Error("accepting paused: raise the limit of open files (ulimit -n) or lower MaxConns",
				"err", err, "conns", in.loop.e.conns.Load())
			in.srv.report(fmt.Errorf("engine: accepting paused: %w", err))
		}
	default:
		// The connection failed while it waited (accept(2) lists a dozen errors of
		// the network): the next one need not have.
		in.loop.stats.rejected.Add(1)
	}
}

// retry looks again, once a tick, after the system was out of something.
func (in *listener) retry() { in.ready = in.ready || in.starved }

// Answers to connections above a limit, sent without reading their request.
var (
	tooMany     = codec.AppendReject(nil, 503, "Too many connections", nil)
	tooManyOfIP = codec.AppendReject(nil, 429, "Too many connections from your address", nil)
)

func (in *listener) admit(fd int, from netip.AddrPort) {
	s, l := in.srv, in.loop
	if in.spread {
		l = s.e.pick()
	}
	l.stats.accepted.Add(1)
	if most := s.e.cfg.MaxConns; most > 0 && s.e.conns.Load() >= int64(most) || fd >= maxFDs {
		l.turnAway(fd, tooMany)
		return
	}
	c := newConn(l, &s.policy, fd)
	if s.opts.MaxConnsPerIP > 0 {
		key := from.Addr()
		if !s.enter(key) {
			l.turnAway(fd, tooManyOfIP)
			return
		}
		c.extra().addr = &key
	}
	if s.tls != nil {
		c.extra().tls = newTLS(c, s.tls, false)
		c.set(flagTLS)
	}
	c.enter()
}

// enter counts a connection of addr in, if it is within the limit.
func (s *Server) enter(addr remoteKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.remotes[addr] >= s.opts.MaxConnsPerIP {
		return false
	}
	s.remotes[addr]++
	return true
}

// leave counts a connection of addr out; the zero address was not counted.
func (s *Server) leave(addr remoteKey) {
	if !addr.IsValid() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.remotes[addr]--; s.remotes[addr] <= 0 {
		delete(s.remotes, addr)
	}
}

// turnAway costs two system calls and no memory. A short answer fits a new
// socket's buffer; closing with the request unread may turn it into a reset.
func (l *loop) turnAway(fd int, answer []byte) {
	l.stats.rejected.Add(1)
	_, _ = l.sys.Write(fd, answer)
	if err := l.sys.Close(fd); err != nil {
		l.e.log.Error("close failed", "fd", fd, "err", err)
	}
}

func newConn(l *loop, p *policy, fd int) *Conn {
	c := &Conn{loop: l, policy: p, fd: int32(fd)}
	c.seen.Store(l.e.now())
	if p.srv != nil {
		c.handler.Store(&p.srv.opts.Handler)
	}
	return c
}

// enter puts a new connection into the table and under watch. From the moment
// that it is watched another goroutine may run it.
func (c *Conn) enter() {
	e := c.loop.e
	e.conns.Add(1)
	if c.policy.srv != nil {
		c.policy.srv.conns.Add(1)
	}
	e.table.put(c)
	c.loop.arm(c, c.seen.Load()+c.policy.handshake)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rearm()
	if e.closing.Load() || c.policy.srv != nil && c.policy.srv.closing.Load() {
		c.kill()
	}
}
