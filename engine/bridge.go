package engine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/roost-ws/roost/internal/sock"
)

// bridge joins conn to one end of a socket pair and returns the other, for a
// net.Conn that has no descriptor of its own to give: an in-memory one, or TLS
// that another server has begun. Such a connection costs two goroutines and two
// descriptors more than one of the engine's own listener.
func (e *Engine) bridge(conn net.Conn) (int, error) {
	// It must not be joined to two ends. What cannot be a key is not noticed.
	known := reflect.ValueOf(conn).Comparable()
	if known {
		if _, twice := e.bridges.LoadOrStore(conn, nil); twice {
			return -1, ErrUpgradedTwice
		}
	}
	near, other, err := pair()
	if err != nil {
		if known {
			e.bridges.Delete(conn)
		}
		return -1, errors.Join(err, conn.Close())
	}
	b := &bridged{conn, other}
	go func() {
		b.run()
		if known {
			e.bridges.Delete(conn)
		}
	}()
	return near, nil
}

// pair is the two ends of a socket pair: for the engine, and for Go.
func pair() (int, net.Conn, error) {
	near, far, err := sock.Pair()
	if err != nil {
		return -1, nil, fmt.Errorf("engine: %w", err)
	}
	f := os.NewFile(uintptr(far), "bridge")
	other, err := net.FileConn(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return -1, nil, errors.Join(fmt.Errorf("engine: %w", err), sock.Close(near))
	}
	return near, other, nil
}

// bridged is the two ends that a bridge copies between.
type bridged struct{ conn, other net.Conn }

// run copies by Read and Write alone: what wraps a TCP connection has the quicker ways
// of that one too, and they pass it by.
func (b *bridged) run() {
	var in sync.WaitGroup
	in.Go(func() {
		_, err := io.Copy(b.other, struct{ io.Reader }{b.conn})
		b.end(b.other, err)
	})
	_, err := io.Copy(struct{ io.Writer }{b.conn}, b.other)
	b.end(b.conn, err)
	// The engine has sent its FIN; it does not wait for the peer's for ever, and
	// nobody tells us when it gave up.
	_ = b.conn.SetReadDeadline(time.Now().Add(defaultClosing))
	in.Wait()
	_ = b.conn.Close()
	_ = b.other.Close()
}

// end passes the end of what was copied on, and drops both sides after a failure.
func (b *bridged) end(to net.Conn, err error) {
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		err = half.CloseWrite()
	} else {
		err = to.Close()
	}
	if err != nil {
		_ = b.conn.Close()
		_ = b.other.Close()
	}
}
