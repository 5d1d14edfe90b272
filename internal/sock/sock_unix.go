//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen opens a non-blocking listening TCP socket on addr, whose connections
// have Nagle's algorithm off. An IPv6 wildcard
// address takes IPv4 too. Errors are *os.SyscallError within a text that names
// the address.
func Listen(addr netip.AddrPort, o Options) (int, error) {
	fd, err := stream(addr.Addr())
	if err != nil {
		return -1, err
	}
	if err = listen(fd, addr, o); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return fd, nil
}

func listen(fd int, addr netip.AddrPort, o Options) error {
	set := func(level, name, value int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, name, value))
	}
	// Without it a restart waits for the old connections' TIME_WAIT to end.
	if err := set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if a := addr.Addr(); a.Is6() {
		only6 := 1
		if a.IsUnspecified() {
			only6 = 0
		}
		if err := set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only6); err != nil {
			return err
		}
	}
	if o.ReusePort {
		if err := set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if err := inherited(fd, o); err != nil {
		return err
	}
	if err := unix.Bind(fd, sockaddr(addr)); err != nil {
		return os.NewSyscallError("bind", err)
	}
	backlog := o.Backlog
	if backlog <= 0 {
		backlog = maxBacklog
	}
	return os.NewSyscallError("listen", unix.Listen(fd, backlog))
}

// Connect starts a connection to addr, from local when that is valid, and
// returns before it stands: the descriptor becomes writable when it does, and
// Error then tells whether it did.
func Connect(addr, local netip.AddrPort) (int, error) { return ConnectBuffered(addr, local, 0) }

// ConnectBuffered is Connect with SO_RCVBUF, in bytes, set before, as the window that
// the first segment offers follows it (tcp(7)). 0 leaves the kernel's own setting.
func ConnectBuffered(addr, local netip.AddrPort, recvBuffer int) (int, error) {
	fd, err := stream(addr.Addr())
	if err != nil {
		return -1, err
	}
	if recvBuffer > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, recvBuffer); err != nil {
			_ = unix.Close(fd)
			return -1, os.NewSyscallError("setsockopt SO_RCVBUF", err)
		}
	}
	if local.IsValid() {
		if local.Port() == 0 {
			bindAddressNoPort(fd)
		}
		if err = unix.Bind(fd, sockaddr(local)); err != nil {
			_ = unix.Close(fd)
			return -1, fmt.Errorf("dial from %s: %w", local, os.NewSyscallError("bind", err))
		}
	}
	err = unix.Connect(fd, sockaddr(addr))
	// An interrupted connect goes on by itself (connect(2)): asking again would
	// answer EALREADY.
	if err == nil || err == unix.EINPROGRESS || err == unix.EINTR {
		return fd, nil
	}
	_ = unix.Close(fd)
	return -1, fmt.Errorf("dial %s: %w", addr, os.NewSyscallError("connect", err))
}

// Error takes the pending error off fd (SO_ERROR, socket(7)).
func Error(fd int) error {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if n != 0 {
		return unix.Errno(n)
	}
	return nil
}

// Shutdown sends FIN after what the kernel still holds (shutdown(2)).
func Shutdown(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }

// Reset makes the coming Close send RST and drop what is unsent (SO_LINGER
// with no time, socket(7)).
func Reset(fd int) error {
	return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// NoDelay turns Nagle's algorithm off (TCP_NODELAY, tcp(7)).
func NoDelay(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// Dup is a second descriptor of fd's socket, close-on-exec and non-blocking.
func Dup(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(n, true); err != nil {
		_ = unix.Close(n)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return n, nil
}

// Pair is two connected stream sockets, close-on-exec and non-blocking.
func Pair() (int, int, error) {
	syscall.ForkLock.RLock()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, -1, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range p {
		if err := unix.SetNonblock(fd, true); err != nil {
			_, _ = unix.Close(p[0]), unix.Close(p[1])
			return -1, -1, os.NewSyscallError("fcntl", err)
		}
	}
	return p[0], p[1], nil
}

// Adopt makes a listening TCP socket that somebody else has opened like one of
// Listen, but for its address and SO_REUSEPORT. Processes that share the socket
// share what this sets. The error tells what fd is instead.
func Adopt(fd int, o Options) error {
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return fmt.Errorf("not a socket: %w", os.NewSyscallError("getsockopt", err))
	} else if kind != unix.SOCK_STREAM {
		return errors.New("not a stream socket: want TCP")
	}
	// macOS and OpenBSD know the option, and do not answer.
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil && err != unix.ENOPROTOOPT && err != unix.EINVAL {
		return os.NewSyscallError("getsockopt SO_ACCEPTCONN", err)
	} else if err == nil && on == 0 {
		return errors.New("not a listening socket: call listen(2) on it first")
	}
	if _, ok := Local(fd).(*net.TCPAddr); !ok {
		return fmt.Errorf("listens on %v: want a TCP address", Local(fd))
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if err := inherited(fd, o); err != nil || o.Backlog <= 0 {
		return err
	}
	return os.NewSyscallError("listen", unix.Listen(fd, o.Backlog))
}

// inherited sets what accepted sockets take from their listener.
func inherited(fd int, o Options) error {
	for _, s := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_RCVBUF, o.RecvBuffer},
		{unix.SOL_SOCKET, unix.SO_SNDBUF, o.SendBuffer},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}, // saves a call for each connection
	} {
		if s.value > 0 {
			if err := unix.SetsockoptInt(fd, s.level, s.name, s.value); err != nil {
				return os.NewSyscallError("setsockopt", err)
			}
		}
	}
	return listenOptions(fd, o)
}
