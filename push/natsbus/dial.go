package natsbus

import (
	"errors"
	"net"
	"os"
	"time"
)

// stallTime is how long NATS may take nothing before the connection is given up.
// NATS's client writes under a lock that everything about the connection waits for.
const stallTime = 2 * time.Second

// dialer makes connections that end with the first write that timed out. NATS's
// client would keep them, and whoever writes next would wait as long again.
type dialer struct{}

// Dial is nats.CustomDialer's.
func (dialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, stallTime)
	if err != nil {
		return nil, err
	}
	return brittle{c}, nil
}

type brittle struct{ net.Conn }

// Write closes the connection after its time, which the client's reader notices.
func (c brittle) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errors.Join(err, c.Close())
	}
	return n, err
}
