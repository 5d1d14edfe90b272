package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/poller"
)

// listener is one listening descriptor.
type listener struct {
	srv    *Server
	loop   *loop
	fd     int
	spread bool // connections go to all loops, not to this one

	// mu is held while fd is in use, and to close it, which any goroutine may do.
	mu      sync.Mutex
	watched bool
	closed  bool

	// Owned by the loop's goroutine.
	ready   bool // there may be more to accept
	starved bool // out of descriptors or memory: tried again every tick
	gate    gate // of AcceptRate
	holding bool // connections wait in the kernel's queue until the gate opens: looked at every tick
}

// acceptBatch bounds what one turn of a loop accepts.
const acceptBatch = 64

func (s *Server) listen() error {
	fds := s.opts.Inherit
	var err error
	if len(fds) == 0 {
		fds, err = s.openAll()
	} else {
		err = s.inherit(fds)
	}
	if err != nil {
		return err
	}
	for i, fd := range fds {
		l := s.e.loops[i%len(s.e.loops)]
		s.listeners = append(s.listeners, &listener{srv: s, loop: l, fd: fd, spread: len(fds) < len(s.e.loops), gate: newGate(s.opts.AcceptRate, len(fds))})
	}
	s.listening(s.e.sys.Local(fds[0]))
	for _, in := range s.listeners {
		in.loop.post(order{kind: orderListen, in: in})
	}
	return nil
}

// listen begins to accept. Loop only.
func (l *loop) listen(in *listener) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return
	}
	if err := l.poll.Update(in.fd, 0, poller.Readable); err != nil {
		l.e.log.Error("cannot watch the listener", "err", err)
		in.srv.report(fmt.Errorf("engine: cannot watch the listener: %w", err))
		return
	}
	in.watched = true
	l.listeners = append(l.listeners, in)
}

func (l *loop) unlisten(in *listener) {
	for i, x := range l.listeners {
		if x == in {
			l.listeners = append(l.listeners[:i], l.listeners[i+1:]...)
			return
		}
	}
}

// close frees the port. Any goroutine. The descriptor leaves the poller first: when
// another process has a duplicate of it, closing ours would leave epoll to report
// what comes there for ever.
func (in *listener) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return
	}
	in.closed = true
	var err error
	if in.watched {
		err = in.loop.poll.Update(in.fd, poller.Readable, 0)
	}
	if err = errors.Join(err, in.loop.sys.Close(in.fd)); err != nil {
		in.loop.e.log.Error("closing the listener failed", "err", err)
	}
}

// accept takes what waits on the listeners, in portions, so that those already
// connected do not wait for a flood. Loop only, as is all that follows.
func (l *loop) accept() {
	for _, in := range l.listeners {
		if in.ready {
			in.acceptSome()
		}
	}
}

func (in *listener) acceptSome() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ready = in.ready && !in.closed
	for i := 0; in.ready && i < acceptBatch; i++ {
		in.acceptOne()
		in.ready = in.ready && in.loop.sys.Waits(in.fd)
	}
}

func (in *listener) acceptOne() {
	passed := in.gate.pass(in.loop.e)
	if in.holding = !passed && in.srv.tls != nil; in.holding {
		in.ready = false // under TLS a peer could not read why it is refused
		return
	}
	fd, from, err := in.loop.sys.Accept(in.fd)
	switch err {
	case nil:
		if in.starved {
			in.starved = false
			in.loop.e.log.Info("accepting again")
		}
		if !passed {
			in.loop.stats.accepted.Add(1)
			in.loop.turnAway(fd, in.gate.answer())
			return
		}
		in.admit(fd, from)
	case syscall.EAGAIN:
		in.ready = false
		if passed {
			in.gate.giveBack()
		}
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
		// The connections wait in the backlog; an edge will not tell of them again.
		in.ready = false
		if !in.starved {
			in.starved = true
			in.loop.e.log.Error("accepting paused: raise the limit of open files (ulimit -n) or lower MaxConns",
				"err", err, "conns", in.loop.e.conns.Load())
			in.srv.report(fmt.Errorf("engine: accepting paused: %w", err))
		}
	case syscall.EINVAL, syscall.EBADF:
		// Whoever we share it with has shut it down: it stays readable for ever.
		in.ready, in.starved = false, false
		in.loop.e.log.Error("accepting ended: the listening socket was shut down", "err", err)
		in.srv.report(fmt.Errorf("engine: accepting ended: %w", err))
	default:
		// The connection failed while it waited (accept(2) lists a dozen errors of
		// the network): the next one need not have.
		in.loop.stats.rejected.Add(1)
	}
}

// retry looks again, once a tick, after the system was out of something or the
// rate was reached.
func (in *listener) retry() { in.ready = in.ready || in.starved || in.holding }

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
	if most := s.e.cfg.MaxConns; most > 0 && s.e.conns.Load()+s.e.plain.Load() >= int64(most) || fd >= maxFDs {
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
	s.e.conns.Add(1)
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
