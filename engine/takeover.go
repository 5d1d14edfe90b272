package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/roost-ws/roost/internal/sock"
)

// far is the far end of a bridge, as its connection knows it: the kernel only knows
// our end.
type far struct {
	local, remote net.Addr
	tls           *tls.ConnectionState // nil without
	conn          net.Conn
}

// stateOf is conn's encryption, nil when there is none.
func stateOf(conn net.Conn) *tls.ConnectionState {
	if r, ok := conn.(*readConn); ok && r.tls != nil {
		conn = r.tls
	}
	t, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	state := t.ConnectionState()
	return &state
}

// takeOver makes a descriptor of conn, which it closes or keeps: closing gives back
// its netFD, its pollDesc and, of net/http, its goroutine and buffers.
func (e *Engine) takeOver(conn net.Conn) (fd int, end *far, err error) {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		if errors.Is(err, net.ErrClosed) {
			return -1, nil, fmt.Errorf("%w: %w", ErrUpgradedTwice, err)
		}
		return -1, nil, errors.Join(fmt.Errorf("engine: %w", err), conn.Close())
	}
	kernel := conn
	if r, ok := conn.(*readConn); ok && r.tls == nil {
		kernel = r.Conn
	}
	switch sc := kernel.(type) {
	case *net.TCPConn, *net.UnixConn:
		fd, err = descriptor(sc.(syscall.Conn))
		if cerr := conn.Close(); cerr != nil && err == nil {
			err = errors.Join(fmt.Errorf("engine: %w", cerr), sock.Close(fd))
		}
		return fd, nil, err
	}
	// A connection that is none of the kernel's, or is encrypted by somebody else, has no
	// descriptor of use; nor has one that has something of its own around the kernel's.
	fd, err = e.bridge(conn)
	return fd, &far{conn.LocalAddr(), conn.RemoteAddr(), stateOf(conn), conn}, err
}

// descriptor duplicates conn's.
func descriptor(conn syscall.Conn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("engine: %w", err)
	}
	if cerr := raw.Control(func(p uintptr) { fd, err = sock.Dup(int(p)) }); cerr != nil {
		err = cerr
	}
	if err != nil {
		return -1, fmt.Errorf("engine: %w", err)
	}
	return fd, nil
}
