package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/roost-ws/roost/internal/sock"
)

// openAll listens on the address of the options, with ReusePort once a loop.
func (s *Server) openAll() (fds []int, err error) {
	listen := s.opts.listenAddr()
	tcp, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("engine: Addr %q: %w", listen, err)
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
	for range n {
		fd, err := s.open(&addr)
		if err != nil {
			for _, fd := range fds {
				err = errors.Join(err, s.e.sys.Close(fd))
			}
			return nil, err
		}
		fds = append(fds, fd)
		if a, ok := s.e.sys.Local(fd).(*net.TCPAddr); ok {
			addr = netip.AddrPortFrom(addr.Addr(), a.AddrPort().Port())
		}
	}
	return fds, nil
}

// open listens on addr, and on all IPv4 addresses where the machine has no IPv6.
func (s *Server) open(addr *netip.AddrPort) (int, error) {
	o := s.opts.sockets()
	fd, err := s.e.sys.Listen(*addr, o)
	if addr.Addr() == netip.IPv6Unspecified() && (errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EINVAL)) {
		*addr = netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())
		fd, err = s.e.sys.Listen(*addr, o)
	}
	if err != nil {
		return -1, fmt.Errorf("engine: %w", err)
	}
	return fd, nil
}

func (o *ServerOptions) sockets() sock.Options {
	return sock.Options{
		Backlog: o.Backlog, ReusePort: o.ReusePort, RecvBuffer: o.RecvBuffer, SendBuffer: o.SendBuffer,
		DeferAccept: o.DeferAccept, BusyPoll: o.BusyPoll,
	}
}
