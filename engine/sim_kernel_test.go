//go:build unix

package engine

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"github.com/roost-ws/roost/internal/sock"
)

// The simulated kernel: sockets in memory, whose every answer the seed chooses
// within what the manual pages allow. It runs on the world's goroutine.

// endpoint is a socket that the engine has, or will have: in the backlog.
type endpoint struct {
	w    *world
	fd   int // -1 before accept
	peer *simPeer

	backlog []*endpoint // of a listener
	listens bool

	in   []byte // to be read by the engine
	eof  bool   // behind in
	err  error  // behind in, once
	out  []byte // written by the engine, not read by the peer
	size int    // of the send buffer: len(out) is at most that
	shut bool   // FIN was sent
	dead bool   // a write cannot succeed any more

	on      *simPoller
	watched watchSet
	lacked  bool          // a write found no room: room is to be told
	read    time.Duration // when bytes last were
}

// simKernel is kernel.
type simKernel struct {
	w       *world
	sockets []*endpoint // by descriptor; nil is free
	pollers []*simPoller
}

const firstFD = 3

func (k *simKernel) Poller() (watcher, error) {
	p := &simPoller{w: k.w}
	k.pollers = append(k.pollers, p)
	return p, nil
}

func (k *simKernel) Since(time.Time) time.Duration { return k.w.clock }

// open gives s the lowest number that is free, as POSIX wants it: numbers are
// reused at once.
func (k *simKernel) open(s *endpoint) int {
	for fd := firstFD; fd < len(k.sockets); fd++ {
		if k.sockets[fd] == nil {
			k.sockets[fd], s.fd = s, fd
			return fd
		}
	}
	for len(k.sockets) < firstFD {
		k.sockets = append(k.sockets, nil)
	}
	s.fd = len(k.sockets)
	k.sockets = append(k.sockets, s)
	return s.fd
}

// get is fd's socket. To use a number that is not open is a fault of the engine.
func (k *simKernel) get(call string, fd int) (*endpoint, error) {
	if fd < 0 || fd >= len(k.sockets) || k.sockets[fd] == nil {
		k.w.fail("%s of descriptor %d, which is not open", call, fd)
		return nil, syscall.EBADF
	}
	return k.sockets[fd], nil
}

func (k *simKernel) Listen(netip.AddrPort, sock.Options) (int, error) {
	k.w.listener = &endpoint{w: k.w, listens: true}
	return k.open(k.w.listener), nil
}

var acceptErrors = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPROTO, syscall.EPERM,
}

func (k *simKernel) Accept(fd int) (int, netip.AddrPort, error) {
	k.w.meddle("accept")
	s, err := k.get("accept", fd)
	if err != nil {
		return -1, netip.AddrPort{}, err
	}
	if len(s.backlog) == 0 {
		return -1, netip.AddrPort{}, syscall.EAGAIN
	}
	if k.w.faults && k.w.chance(8) {
		err := pick(k.w, acceptErrors)
		k.w.log("accept: %v", err)
		if i := indexOf(acceptErrors, err); i >= 4 { // it is off the queue then
			k.lose(s)
		}
		return -1, netip.AddrPort{}, err
	}
	c := s.backlog[0]
	s.backlog = s.backlog[1:]
	k.open(c)
	k.w.log("accept: peer %d is fd %d", c.peer.id, c.fd)
	return c.fd, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(1024+c.peer.id)), nil
}

// Waits may say so in vain (poll(2)), but never that nobody waits when somebody does.
func (k *simKernel) Waits(fd int) bool {
	s, err := k.get("poll", fd)
	return err != nil || len(s.backlog) > 0 || k.w.chance(10)
}

// lose drops the connection at the head of the backlog.
func (k *simKernel) lose(s *endpoint) {
	c := s.backlog[0]
	s.backlog = s.backlog[1:]
	c.peer.cause("lost before it was accepted")
	c.peer.gone(true)
}

func (k *simKernel) Read(fd int, p []byte) (int, error) {
	k.w.meddle("read")
	s, err := k.get("read", fd)
	if err != nil {
		return 0, err
	}
	s.peer.notice()
	if c := k.w.e.table.get(int32(fd)); c != nil && c.loop != k.w.runner {
		k.w.fail("fd %d: its turn is not its own loop's (R4)", fd)
	}
	if len(p) == 0 {
		k.w.fail("fd %d: a read into nothing", fd)
	}
	if len(s.in) == 0 {
		return 0, s.ended()
	}
	n := min(len(p), len(s.in))
	switch {
	case k.w.chance(20): // as if it had come a moment later
		s.raise(readEdge)
		return 0, syscall.EAGAIN
	case k.w.chance(6):
		n = 1 + k.w.rng.IntN(n)
	}
	copy(p, s.in[:n])
	s.in = s.in[n:]
	if n < len(p) && len(s.in) > 0 {
		s.raise(readEdge) // what is left came after the read
	}
	s.read = k.w.clock
	k.w.log("fd %d: read %d of %d", fd, n, n+len(s.in))
	return n, nil
}

// ended is what a read finds behind the last byte.
func (s *endpoint) ended() error {
	switch {
	case s.err != nil:
		err := s.err
		s.err, s.eof = nil, true
		s.w.log("fd %d: read fails: %v", s.fd, err)
		return err
	case s.eof:
		s.w.log("fd %d: read the end", s.fd)
		return nil
	}
	return syscall.EAGAIN
}

func (k *simKernel) Writev(fd int, iov []sock.IOV) (int, error) {
	var all []byte
	if len(iov) > sock.MaxIOV {
		k.w.fail("a writev of %d slices", len(iov))
	}
	for _, v := range iov {
		all = append(all, unsafe.Slice(v.Base, int(v.Len))...)
	}
	return k.Write(fd, all)
}

var writeErrors = []error{syscall.EPIPE, syscall.ECONNRESET, syscall.ETIMEDOUT, syscall.ENOBUFS, syscall.EHOSTUNREACH}

func (k *simKernel) Write(fd int, p []byte) (int, error) {
	want := len(p)
	s, err := k.get("write", fd)
	if err != nil {
		return 0, err
	}
	if want == 0 {
		k.w.fail("fd %d: a write of nothing", fd)
	}
	if s.shut {
		k.w.fail("fd %d: a write after FIN", fd)
	}
	if k.w.faults && s.peer.faulty && k.w.chance(60) {
		s.dead = true
		s.peer.cause("a write failed")
	}
	if s.dead {
		err := pick(k.w, writeErrors)
		k.w.log("fd %d: write fails: %v", fd, err)
		return 0, err
	}
	n := min(want, s.size-len(s.out))
	if n > 0 && k.w.chance(10) {
		n = k.w.rng.IntN(n + 1)
	}
	if n < want {
		s.lacked, s.peer.full = true, true
	}
	if n == 0 {
		k.w.log("fd %d: write of %d would block", fd, want)
		return 0, syscall.EAGAIN
	}
	s.out = append(s.out, p[:n]...)
	k.w.log("fd %d: wrote %d of %d", fd, n, want)
	return n, nil
}

func (k *simKernel) Shutdown(fd int) error {
	s, err := k.get("shutdown", fd)
	if err != nil {
		return err
	}
	if s.shut {
		k.w.fail("fd %d: a second FIN", fd)
	}
	if p := s.peer; p.opened && !p.closed && !p.has("the peer breaks the protocol") && !p.has("panic") && !p.droppedForMemory() {
		k.w.fail("fd %d: FIN before the peer's close frame", fd)
	}
	if s.dead || k.w.faults && s.peer.faulty && k.w.chance(20) {
		s.peer.cause("shutdown failed")
		return syscall.ENOTCONN
	}
	k.w.log("fd %d: FIN", fd)
	s.shut = true
	return nil
}

func (k *simKernel) Close(fd int) error {
	s, err := k.get("close", fd)
	if err != nil {
		return err
	}
	k.sockets[fd] = nil
	if s.on != nil {
		s.on.forget(s)
	}
	if !s.listens {
		k.w.log("fd %d: closed, peer %d", fd, s.peer.id)
		k.w.closed(s)
		s.peer.gone(len(s.in) > 0 || s.dead)
	}
	s.fd = -2
	if k.w.faults && k.w.chance(50) {
		return syscall.EINTR // and closed all the same: close(2)
	}
	return nil
}

func (k *simKernel) NoDelay(fd int) error { return nil }

func (k *simKernel) Local(fd int) net.Addr { return k.Remote(fd) }
func (k *simKernel) Remote(fd int) net.Addr {
	if _, err := k.get("getpeername", fd); err != nil {
		return nil
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: fd}
}

func indexOf(list []error, err error) int {
	for i, e := range list {
		if errors.Is(err, e) {
			return i
		}
	}
	return -1
}
