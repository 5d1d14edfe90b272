//go:build linux

// Command golimit is the least Go that echoes, the counterpart of climit: one
// edge-triggered epoll, one read and one write a turn, no library and no
// goroutine a connection. What it costs above climit is the language.
package main

import (
	"errors"
	"fmt"
	"log"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/roost-ws/roost/bench/peers/contract"
)

const (
	bufferSize = 512 << 10
	maxPending = 16 << 20 // bytes the kernel refused, a connection
)

type conn struct {
	fd   int
	seat int // index in server.conns; -1 when closed
	open bool
	in   []byte // an unfinished request or frame
	out  []byte // what the kernel refused
}

type server struct {
	epfd, lfd int
	broadcast bool
	conns     []*conn
	byFD      []*conn
	rbuf      []byte
	wbuf      []byte
}

func main() {
	o := contract.Parse()
	if o.Deflate || o.TLS() {
		log.Fatal("a floor has no compression and no TLS")
	}
	s := &server{broadcast: o.Broadcast, rbuf: make([]byte, bufferSize), wbuf: make([]byte, bufferSize+16)}
	if err := s.listen(o.Addr); err != nil {
		log.Fatalf("listen on %s: %v", o.Addr, err)
	}
	log.Fatal(s.run())
}

func (s *server) listen(addr string) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	if !at.Addr().Is4() {
		return errors.New("want an IPv4 address")
	}
	if s.lfd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0); err != nil {
		return err
	}
	// Accepted sockets inherit TCP_NODELAY.
	err = errors.Join(unix.SetsockoptInt(s.lfd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(s.lfd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.Bind(s.lfd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}),
		unix.Listen(s.lfd, 4096))
	if err != nil {
		return err
	}
	if s.epfd, err = unix.EpollCreate1(0); err != nil {
		return err
	}
	return unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, s.lfd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.lfd)})
}

func (s *server) run() error {
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := unix.EpollWait(s.epfd, events, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		accept := false
		for i := range max(n, 0) {
			ev := &events[i]
			if int(ev.Fd) == s.lfd {
				accept = true
				continue
			}
			c := s.byFD[ev.Fd]
			if c == nil {
				continue // closed by a broadcast earlier in this batch
			}
			if len(c.out) > 0 && ev.Events&unix.EPOLLOUT != 0 {
				s.flush(c)
			}
			if c.seat >= 0 && ev.Events&^uint32(unix.EPOLLOUT) != 0 {
				s.turn(c, ev.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
			}
		}
		if accept { // after the batch, so that no event of it meets a reused descriptor
			if err := s.accept(); err != nil {
				return err
			}
		}
	}
}

func (s *server) accept() error {
	for {
		fd, _, err := unix.Accept4(s.lfd, unix.SOCK_NONBLOCK)
		if err == unix.EAGAIN || err == unix.ECONNABORTED {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept4: %w", err)
		}
		for fd >= len(s.byFD) {
			s.byFD = append(s.byFD, nil)
		}
		c := &conn{fd: fd, seat: len(s.conns)}
		s.byFD[fd] = c
		s.conns = append(s.conns, c)
		err = unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{
			Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd),
		})
		if err != nil {
			return fmt.Errorf("epoll_ctl: %w", err)
		}
	}
}

func (s *server) close(c *conn) {
	if c.seat < 0 {
		return
	}
	last := s.conns[len(s.conns)-1]
	s.conns[c.seat], last.seat = last, c.seat
	s.conns = s.conns[:len(s.conns)-1]
	c.seat, c.in, c.out = -1, nil, nil
	s.byFD[c.fd] = nil
	if err := unix.Close(c.fd); err != nil {
		log.Printf("close: %v", err)
	}
}
