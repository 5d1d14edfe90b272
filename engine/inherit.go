package engine

import (
	"errors"
	"fmt"

	"github.com/roost-ws/roost/internal/sock"
)

// A server can be replaced without refusing a connection when the next process
// accepts from the same sockets: each has one queue in the kernel, however many
// processes hold a descriptor of it. Listening anew by SO_REUSEPORT makes another
// queue, and what waits in the old one is reset when that closes.

// inherit makes the inherited sockets fit for accepting. The kernel's setting of what
// is 0 in the options stays.
func (s *Server) inherit(fds []int) error {
	for i, fd := range fds {
		if fd >= maxFDs {
			return fmt.Errorf("engine: Inherit[%d]: descriptor %d: want one below %d", i, fd, maxFDs)
		}
		if err := sock.Adopt(fd, s.opts.sockets()); err != nil {
			return fmt.Errorf("engine: Inherit[%d]: descriptor %d: %w", i, fd, err)
		}
	}
	return nil
}

// Listeners returns duplicates of the listening sockets, for ServerOptions.Inherit
// of the process that comes next. They are close-on-exec and the caller's to close;
// while one is open, connections are not refused, even if nobody accepts. The error
// is ErrClosed once the server accepts no more, or the system's.
func (s *Server) Listeners() (fds []int, err error) {
	for _, in := range s.listeners {
		fd, err := in.dup()
		if err != nil {
			for _, fd := range fds {
				err = errors.Join(err, sock.Close(fd))
			}
			return nil, err
		}
		fds = append(fds, fd)
	}
	if len(fds) == 0 {
		return nil, errors.New("engine: the server has no listener of its own: give Addr or Port")
	}
	return fds, nil
}

func (in *listener) dup() (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return -1, ErrClosed
	}
	fd, err := sock.Dup(in.fd)
	if err != nil {
		return -1, fmt.Errorf("engine: duplicate the listener: %w", err)
	}
	return fd, nil
}

// StopAccepting gives up the listening sockets. Unlike Close it changes nothing for
// whoever has connected: handshakes under way go on, and new requests on
// connections of an http.Server are upgraded. It may be called from any goroutine,
// and again.
func (s *Server) StopAccepting() {
	for _, in := range s.listeners {
		in.close()
		in.loop.post(order{kind: orderUnlisten, in: in})
	}
}

// Handshakes counts the connections that are not yet upgraded. It looks at each
// connection.
func (s *Server) Handshakes() (n int) {
	s.each(func(c *Conn) {
		if c.ReadyState() == Connecting {
			n++
		}
	})
	return n
}
