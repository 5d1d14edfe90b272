//go:build linux

package floods

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

const upgradeHead = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// dial opens a TCP connection from the loopback address 127.0.0.last.
func dial(addr string, last byte) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), c.SetDeadline(time.Now().Add(2 * patience))
}

// peer is an upgraded connection.
type peer struct {
	*net.TCPConn
	r *bufio.Reader
}

// upgrade does the handshake with more fields, and returns the status.
func upgrade(c *net.TCPConn, fields string) (*peer, int, error) {
	if _, err := io.WriteString(c, upgradeHead+fields+"\r\n"); err != nil {
		return nil, 0, err
	}
	p := &peer{c, bufio.NewReaderSize(c, 512)}
	res, err := http.ReadResponse(p.r, nil)
	if err != nil {
		return nil, 0, err
	}
	return p, res.StatusCode, nil
}

// join is dial and upgrade of one that must get in.
func join(addr, fields string) (*peer, error) {
	c, err := dial(addr, 1)
	if err != nil {
		return nil, err
	}
	p, status, err := upgrade(c, fields)
	if err == nil && status != http.StatusSwitchingProtocols {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return p, nil
}

// crowd has n peers join, 64 at a time.
func crowd(t *testing.T, v *victim, n int, fields string) []*peer {
	t.Helper()
	peers := make([]*peer, n)
	each(t, n, 64, func(i int) (err error) {
		peers[i], err = join(v.addr, fields)
		return err
	})
	t.Cleanup(func() {
		for _, p := range peers {
			p.Close()
		}
	})
	return peers
}

// each runs f for 0 to n-1, so many at a time, and fails with the first error.
func each(t *testing.T, n, at int, f func(i int) error) {
	t.Helper()
	next, failed := make(chan int), make(chan error, n)
	var all sync.WaitGroup
	for range at {
		all.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					failed <- fmt.Errorf("%d: %w", i, err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
}

// frame is one masked frame.
func frame(op codec.Opcode, fin bool, payload []byte) []byte {
	h := codec.Header{Opcode: op, Fin: fin, Masked: true, Mask: [4]byte{7, 6, 5, 4}, Length: int64(len(payload))}
	return codec.AppendFrame(nil, h, payload)
}

// closing reads to the end, drops what comes, and returns the code of the close frame
// that came last, 1006 for none. It looks at the last four octets only: a flood's
// replies are not to cost more than the flood.
func (p *peer) closing() (codec.CloseCode, error) {
	var last [4]byte
	buf := make([]byte, 64<<10)
	for {
		n, err := p.r.Read(buf)
		got := append(last[:], buf[:n]...)
		copy(last[:], got[len(got)-4:])
		if err != nil && last[0] == 0x88 && last[1] == 2 {
			return codec.CloseCode(last[2])<<8 | codec.CloseCode(last[3]), nil
		}
		if err != nil {
			return codec.CodeAbnormal, err
		}
		if n == 4 && buf[0] == 0x88 && buf[1] == 2 { // a server may wait for us to go
			return codec.CloseCode(buf[2])<<8 | codec.CloseCode(buf[3]), nil
		}
	}
}

// next reads one frame.
func (p *peer) next() (codec.Opcode, []byte, error) {
	head, err := p.r.Peek(2)
	if err != nil {
		return 0, nil, err
	}
	_, n, _ := codec.ParseHeader(head)
	if n < 0 {
		if head, err = p.r.Peek(2 - n); err != nil {
			return 0, nil, err
		}
	}
	h, n, err := codec.ParseHeader(head)
	if err != nil {
		return 0, nil, err
	}
	b := make([]byte, n+int(h.Length))
	_, err = io.ReadFull(p.r, b)
	return h.Opcode, b[n:], err
}
