//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sock

import (
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxBacklog is cut by the kernel to kern.ipc.somaxconn; a negative number
// asks for that on the BSDs, but not on all of them (listen(2)).
const maxBacklog = 1<<15 - 1

// Read reads into p. 0, nil is the end of the stream.
func Read(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err == nil {
			return n, nil
		}
		if err != unix.EINTR {
			return 0, err
		}
	}
}

// Write writes as much of p as the kernel takes. A reset peer is EPIPE, never
// a signal: Go ignores SIGPIPE for descriptors above 2.
func Write(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Write(fd, p)
		if err == nil {
			return n, nil
		}
		if err != unix.EINTR {
			return 0, err
		}
	}
}

// Writev writes as much of iov's slices, in order, as the kernel takes. x/sys
// knows writev on some of these systems only, so the slices go one by one; a
// short write ends the call, as it would end the kernel's.
func Writev(fd int, iov []IOV) (int, error) {
	total := 0
	for _, v := range iov {
		p := unsafe.Slice(v.Base, int(v.Len))
		n, err := Write(fd, p)
		total += n
		if total > 0 && (err != nil || n < len(p)) {
			return total, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}

// Accept takes one connection off the listener fd: non-blocking,
// close-on-exec, with its peer's address (invalid when that is no IP).
func Accept(fd int) (int, netip.AddrPort, error) {
	n, sa, err := accept(fd)
	if err != nil {
		return -1, netip.AddrPort{}, err
	}
	if err := unix.SetNonblock(n, true); err != nil {
		_ = unix.Close(n)
		return -1, netip.AddrPort{}, err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return n, netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return n, netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port)), nil
	}
	return n, netip.AddrPort{}, nil
}

// accept retries EINTR. accept4 is not on all of these systems; the fork lock
// keeps the descriptor from leaking into a child that is started between the
// two calls.
func accept(fd int) (int, unix.Sockaddr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for {
		n, sa, err := unix.Accept(fd)
		if err == nil {
			unix.CloseOnExec(n)
			return n, sa, nil
		}
		if err != unix.EINTR {
			return -1, nil, err
		}
	}
}

// Waits reports whether a connection waits on the listener fd, or an error.
func Waits(fd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err != nil || n > 0
}

// Close closes fd. The descriptor is gone whatever it returns (close(2)).
func Close(fd int) error { return unix.Close(fd) }

func stream(a netip.Addr) (int, error) {
	syscall.ForkLock.RLock()
	fd, err := unix.Socket(family(a), unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}

func bindAddressNoPort(int) {}

func listenOptions(int, Options) error { return nil }
