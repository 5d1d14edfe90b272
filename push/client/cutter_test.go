package client_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roost-ws/roost/push"
)

// proxy passes connections on until it cuts them.
type proxy struct {
	addr string
	cuts atomic.Int64

	mu    sync.Mutex
	pairs map[net.Conn]net.Conn
}

func cutter(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), pairs: map[net.Conn]net.Conn{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", target)
			if err != nil {
				a.Close()
				continue
			}
			p.mu.Lock()
			p.pairs[a] = b
			p.mu.Unlock()
			wg.Go(func() { pass(a, b) })
			wg.Go(func() { pass(b, a) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cut()
		wg.Wait()
	})
	return p
}

// pass ends when either side does; errors are what a cut looks like.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for a, b := range p.pairs {
		a.Close()
		b.Close()
		p.cuts.Add(1)
	}
	clear(p.pairs)
}

func pushEvent(channel, data string) push.Event {
	return push.Event{Channels: []string{channel}, Name: "e", Data: data}
}
