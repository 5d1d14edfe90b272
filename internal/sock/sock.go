// Package sock is the door to the system's sockets: each function is one
// system call on a non-blocking descriptor, or the few that together make one.
//
// The engine and the load-test harness call it. It never waits, never keeps a
// descriptor, and never decides what an error means: EAGAIN and ECONNRESET
// come back as the syscall.Errno they are. Only EINTR is retried here, because
// none of these calls has done anything when it returns that (signal(7)).
//
// All functions may be called from several goroutines. That a descriptor is
// not closed under a call, its caller must see to.
package sock

import (
	"net"
	"net/netip"
	"time"
)

// Options are the socket options of a listener and of what it accepts. Zero
// values leave the kernel's own setting.
type Options struct {
	// Backlog is the length of the accept queue that listen(2) asks for; the
	// kernel caps it at net.core.somaxconn. 0 asks for that cap.
	Backlog int
	// ReusePort lets several sockets of this user listen on one address
	// (SO_REUSEPORT, socket(7)); the kernel spreads connections over them.
	ReusePort bool
	// RecvBuffer and SendBuffer are SO_RCVBUF and SO_SNDBUF in bytes. They are
	// set on the listener, from which accepted sockets inherit them, because
	// the TCP window scale is fixed when the connection is made (tcp(7)).
	RecvBuffer, SendBuffer int
	// DeferAccept keeps a connection out of the accept queue until data came,
	// for this long at most, in whole seconds (TCP_DEFER_ACCEPT, linux only).
	DeferAccept time.Duration
	// BusyPoll is SO_BUSY_POLL (linux only).
	BusyPoll time.Duration
}

// TCPAddr is a as the standard library's type, nil when a is not valid.
func TCPAddr(a netip.AddrPort) net.Addr {
	if !a.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(a)
}
