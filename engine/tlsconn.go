package engine

import (
	"net"
	"time"
)

// The rest of net.Conn, which crypto/tls calls only where it may block.

func (t *tlsConn) Close() error {
	if t.blocking != nil {
		return t.blocking.Close()
	}
	return nil
}

func (t *tlsConn) LocalAddr() net.Addr {
	if t.blocking != nil {
		return t.blocking.LocalAddr()
	}
	return t.c.LocalAddr()
}

func (t *tlsConn) RemoteAddr() net.Addr {
	if t.blocking != nil {
		return t.blocking.RemoteAddr()
	}
	return t.c.RemoteAddr()
}

func (t *tlsConn) SetDeadline(d time.Time) error {
	if t.blocking != nil {
		return t.blocking.SetDeadline(d)
	}
	return nil
}

func (t *tlsConn) SetReadDeadline(d time.Time) error {
	if t.blocking != nil {
		return t.blocking.SetReadDeadline(d)
	}
	return nil
}

func (t *tlsConn) SetWriteDeadline(d time.Time) error {
	if t.blocking != nil {
		return t.blocking.SetWriteDeadline(d)
	}
	return nil
}
