package sock

import (
	"encoding/binary"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls here use RawSyscall: on a non-blocking descriptor they cannot
// wait, so telling the scheduler that they begin and end, which unix.Read
// does, only costs (about 60 ns each way, and a handed-over P under load).

// maxBacklog is cut by the kernel to net.core.somaxconn (listen(2)).
const maxBacklog = 1<<31 - 1

// Read reads into p. 0, nil is the end of the stream.
func Read(fd int, p []byte) (int, error) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
		if e == 0 {
			return int(n), nil
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// Write writes as much of p as the kernel takes. A reset peer is EPIPE, never
// a signal: Go ignores SIGPIPE for descriptors above 2.
func Write(fd int, p []byte) (int, error) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
		if e == 0 {
			return int(n), nil
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// Writev writes as much of iov's slices, in order, as the kernel takes. At
// most MaxIOV slices.
func Writev(fd int, iov []IOV) (int, error) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(iov))), uintptr(len(iov)))
		if e == 0 {
			return int(n), nil
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// Accept takes one connection off the listener fd: non-blocking,
// close-on-exec, with its peer's address (invalid when that is no IP).
func Accept(fd int) (int, netip.AddrPort, error) {
	var sa unix.RawSockaddrInet6
	for {
		size := uint32(unsafe.Sizeof(sa))
		n, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&sa)),
			uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if e == 0 {
			return int(n), peer(&sa), nil
		}
		if e != unix.EINTR {
			return -1, netip.AddrPort{}, e
		}
	}
}

// Waits reports whether a connection waits on the listener fd, or an error. Linux
// makes a socket, its inode and its file before it looks into the queue, so an Accept
// in vain costs ten times as much as asking first.
func Waits(fd int) bool {
	ask := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	var at unix.Timespec // once, and do not wait
	n, _, e := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&ask)), 1, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
	return e != 0 || n > 0
}

// Close closes fd. The descriptor is gone whatever it returns (close(2)). It does
// not wait: nothing here sets a linger time.
func Close(fd int) error {
	if _, _, e := unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0); e != 0 {
		return e
	}
	return nil
}

func peer(sa *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:])
	switch sa.Family {
	case unix.AF_INET:
		in4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), port)
	}
	return netip.AddrPort{}
}

func stream(a netip.Addr) (int, error) {
	fd, err := unix.Socket(family(a), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	return fd, nil
}

// bindAddressNoPort leaves the choice of a port to connect(2), which may then
// use one port for several destinations: else 28,000 connections exhaust a
// source address (ip(7), IP_BIND_ADDRESS_NO_PORT). Where the kernel knows
// nothing of it, bind(2) picks the port as ever.
func bindAddressNoPort(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
}

func listenOptions(fd int, o Options) error {
	if o.DeferAccept > 0 {
		seconds := int((o.DeferAccept + time.Second - 1) / time.Second)
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, seconds); err != nil {
			return os.NewSyscallError("setsockopt TCP_DEFER_ACCEPT", err)
		}
	}
	if o.BusyPoll > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUSY_POLL, int(o.BusyPoll.Microseconds())); err != nil {
			return os.NewSyscallError("setsockopt SO_BUSY_POLL", err)
		}
	}
	return nil
}
