package engine

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// netConnBuffer is how much waits unread in a NetConn before the connection is paused.
const netConnBuffer = 64 << 10

// NetConn makes c a stream of bytes: each Write is a binary message, or several
// when it is long, and Read returns the payloads of messages of either kind, whose
// boundaries are lost. It takes c's messages from its Handler, so it belongs into Open:
// what came before is not in the stream. Other functions of the Handler are still
// called.
//
// Read blocks until there is something. Unread data is bounded: above 64 KiB reading
// from the peer pauses, and the peer feels it. Write blocks while more is unsent than
// the high-water mark (1 MiB, or half of MaxOutbox), so it must not be called from a
// function of c's Handler; nor must Read. Deadlines are as in net.Conn. Everything may
// be called from several goroutines.
//
// Close begins the closing handshake with an empty close frame behind what was
// written, and does not wait for its end. Read returns io.EOF after a close frame with
// 1000, 1001 or without a code; a *CloseError after any other end, which is
// io.ErrUnexpectedEOF where no close frame came; and what Handler.Error would be told,
// if anything.
func (c *Conn) NetConn() net.Conn {
	n := &netConn{
		c: c, local: c.LocalAddr(), remote: c.RemoteAddr(), chunk: c.policy.highWater,
		readable: make(chan struct{}, 1), writable: make(chan struct{}, 1), over: make(chan struct{}),
	}
	n.rd.init()
	n.wr.init()
	c.change(n.wrap)
	if c.ReadyState() == Closed {
		n.end(&CloseError{Code: CodeAbnormal})
	}
	return n
}

// netConn is a Conn as a net.Conn.
type netConn struct {
	c             *Conn
	local, remote net.Addr
	chunk         int // bytes, the longest message

	readable, writable chan struct{} // there may be something again
	over               chan struct{} // closed with err set
	rd, wr             deadline
	writing            sync.Mutex // one Write at a time, so that long ones stay whole

	mu     sync.Mutex
	unread []byte
	paused bool
	closed bool  // by us
	err    error // what Read returns at the end
}

// wrap puts n between c and what its handler had.
func (n *netConn) wrap(h *Handler) {
	drain, fail, end := h.Drain, h.Error, h.Close
	h.Message = func(_ *Conn, m Message) { n.message(m.Data) }
	h.Drain = func(c *Conn) {
		notify(n.writable)
		if drain != nil {
			drain(c)
		}
	}
	h.Error = func(c *Conn, err error) {
		n.end(err)
		if fail != nil {
			fail(c, err)
		}
	}
	h.Close = func(c *Conn, code CloseCode, reason string) {
		switch code {
		case CodeNormal, CodeGoingAway, CodeNoStatus:
			n.end(io.EOF)
		default:
			n.end(&CloseError{code, reason})
		}
		if end != nil {
			end(c, code, reason)
		}
	}
}

// notify wakes one who waits.
func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// message keeps a payload for Read. Holder of the turn only.
func (n *netConn) message(p []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.unread = append(n.unread, p...)
	if len(n.unread) > netConnBuffer && !n.paused {
		n.paused = true
		n.c.holdReader(true)
	}
	notify(n.readable)
}

// end sets how the stream ends, once.
func (n *netConn) end(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.err = err
		close(n.over)
	}
}

func (n *netConn) Read(p []byte) (int, error) {
	for {
		if n.rd.passed() {
			return 0, os.ErrDeadlineExceeded
		}
		if m, err := n.take(p); m > 0 || err != nil || len(p) == 0 {
			return m, err
		}
		select {
		case <-n.readable:
		case <-n.over:
		case <-n.rd.wait():
		}
	}
}

// take moves what is there to p. Neither bytes nor an error mean: wait.
func (n *netConn) take(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return 0, net.ErrClosed
	case len(n.unread) == 0:
		return 0, n.err
	}
	m := copy(p, n.unread)
	n.unread = n.unread[m:]
	if len(n.unread) == 0 {
		n.unread = nil
	} else {
		notify(n.readable) // for another reader
	}
	if n.paused && len(n.unread) <= netConnBuffer {
		n.paused = false
		n.c.holdReader(false)
	}
	return m, nil
}

func (n *netConn) Write(p []byte) (written int, err error) {
	n.writing.Lock()
	defer n.writing.Unlock()
	for len(p) > 0 {
		if err := n.await(); err != nil {
			return written, err
		}
		part := p[:min(len(p), n.chunk)]
		if err := n.c.Send(Binary, part); err != nil {
			return written, n.failure(err)
		}
		written += len(part)
		p = p[len(part):]
	}
	return written, nil
}

// await blocks while too much is unsent.
func (n *netConn) await() error {
	for {
		if n.wr.passed() {
			return os.ErrDeadlineExceeded
		}
		if n.c.ReadyState() != Open || n.c.BufferedAmount() <= n.chunk {
			return nil
		}
		select {
		case <-n.writable:
		case <-n.over:
		case <-n.wr.wait():
		}
	}
}

// failure is err, or that we closed n ourselves.
func (n *netConn) failure(err error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return net.ErrClosed
	}
	return err
}

func (n *netConn) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return net.ErrClosed
	}
	n.closed, n.unread = true, nil
	if n.err == nil {
		n.err = net.ErrClosed
		close(n.over)
	}
	if n.paused { // the peer's close frame is behind what nobody reads any more
		n.paused = false
		n.c.holdReader(false)
	}
	n.mu.Unlock()
	n.rd.set(time.Time{})
	n.wr.set(time.Time{})
	return n.c.Close(CodeNoStatus, "")
}

func (n *netConn) LocalAddr() net.Addr  { return n.local }
func (n *netConn) RemoteAddr() net.Addr { return n.remote }

func (n *netConn) SetDeadline(t time.Time) error {
	n.rd.set(t)
	n.wr.set(t)
	return nil
}

func (n *netConn) SetReadDeadline(t time.Time) error  { n.rd.set(t); return nil }
func (n *netConn) SetWriteDeadline(t time.Time) error { n.wr.set(t); return nil }
