package natsbus_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/natsbus"
)

// hole passes bytes between a bus and NATS until it is told to take none.
type hole struct {
	net.Listener
	stalled chan struct{}
	wg      sync.WaitGroup
}

func dig(t *testing.T, address string) *hole {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{Listener: l, stalled: make(chan struct{})}
	quit := make(chan struct{})
	t.Cleanup(func() { l.Close(); close(quit); h.wg.Wait() })
	h.wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", address)
			if err != nil {
				near.Close()
				continue
			}
			h.wg.Go(func() { h.pass(far, near) })
			h.wg.Go(func() { h.pass(near, far) })
			h.wg.Go(func() { <-quit; near.Close(); far.Close() })
		}
	})
	return h
}

func (h *hole) pass(to io.Writer, from io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-h.stalled:
			return
		default:
		}
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// Packets to NATS are dropped, and nothing is refused: a publisher must be told,
// and so must who asks whether the bus is ready.
func TestNATSThatTakesNothingHoldsNobodyUp(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	h := dig(t, s.Addr().String())
	b := connect(t, natsbus.Options{URL: "nats://" + h.Addr().String()})
	big := strings.Repeat("x", 40<<10)
	publish(t, b, "c", big, push.Retention{})
	close(h.stalled)
	const publishers, within = 64, 10 * time.Second
	answered := make(chan error, publishers+1)
	for range publishers {
		go func() {
			for {
				begun := time.Now()
				err := b.Publish(t.Context(), &push.Event{App: "1", Channels: []string{"c"}, Name: "e", Data: big})
				if err == nil && time.Since(begun) > within {
					err = errors.New("it took too long")
				}
				if err != nil { // once the socket's buffers are full
					answered <- err
					return
				}
			}
		}()
	}
	go func() {
		for b.Ready() == nil {
			time.Sleep(time.Millisecond)
		}
		answered <- nil
	}()
	late := time.After(2 * within)
	for n := range cap(answered) {
		select {
		case <-answered:
		case <-late:
			t.Fatalf("%d of %d were answered", n, cap(answered))
		}
	}
}
