package engine

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
	"github.com/roost-ws/roost/poller"
)

// kernel is the engine's door to the system: what it asks of descriptors, of
// pollers and of the clock. It is system, but for tests that need a kernel which
// misbehaves. The functions are those of sock, and so are their rules.
//
// What is handed to an interface moves to the heap: slices that go through here
// are lent, never a caller's array.
type kernel interface {
	Poller() (watcher, error)
	Since(t time.Time) time.Duration

	Listen(addr netip.AddrPort, o sock.Options) (int, error)
	Accept(fd int) (int, netip.AddrPort, error)
	Waits(fd int) bool
	Read(fd int, p []byte) (int, error)
	Write(fd int, p []byte) (int, error)
	Writev(fd int, iov []sock.IOV) (int, error)
	Shutdown(fd int) error
	Close(fd int) error
	NoDelay(fd int) error
	Local(fd int) net.Addr
	Remote(fd int) net.Addr
}

// watcher is poller.Poller.
type watcher interface {
	Update(fd int, from, to poller.Ready) error
	Wait(events []poller.Event, until time.Time) (int, error)
	Poll(events []poller.Event) (int, error)
	Wake() error
	Close() error
}

// runQueue is pool.Queue.
type runQueue interface {
	Submit(batch []*Conn)
	Push(c *Conn)
	Len() int
}

// system is the kernel that runs this process.
type system struct{}

func (system) Poller() (watcher, error)        { return poller.Open() }
func (system) Since(t time.Time) time.Duration { return time.Since(t) }

func (system) Listen(addr netip.AddrPort, o sock.Options) (int, error) { return sock.Listen(addr, o) }
func (system) Accept(fd int) (int, netip.AddrPort, error)              { return sock.Accept(fd) }
func (system) Waits(fd int) bool                                       { return sock.Waits(fd) }
func (system) Read(fd int, p []byte) (int, error)                      { return sock.Read(fd, p) }
func (system) Write(fd int, p []byte) (int, error)                     { return sock.Write(fd, p) }
func (system) Writev(fd int, iov []sock.IOV) (int, error)              { return sock.Writev(fd, iov) }
func (system) Shutdown(fd int) error                                   { return sock.Shutdown(fd) }
func (system) Close(fd int) error                                      { return sock.Close(fd) }
func (system) NoDelay(fd int) error                                    { return sock.NoDelay(fd) }
func (system) Local(fd int) net.Addr                                   { return sock.Local(fd) }
func (system) Remote(fd int) net.Addr                                  { return sock.Remote(fd) }

// vector is what one Writev needs: its slices, and room for a frame's header.
type vector struct {
	iov  [sock.MaxIOV]sock.IOV
	head [codec.MaxHeader]byte
}

// vectors lends them. Any goroutine.
type vectors struct{ p sync.Pool }

func (p *vectors) get() *vector {
	if v, _ := p.p.Get().(*vector); v != nil {
		return v
	}
	return new(vector)
}

// put takes v back, of which used was in use.
func (p *vectors) put(v *vector, used []sock.IOV) {
	clear(used) // it must not keep what was written
	p.p.Put(v)
}
