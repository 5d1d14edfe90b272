package engine

import (
	"errors"
	"io"
)

// ErrWriting is returned by NextWriter while another of its writers is not closed.
var ErrWriting = errors.New("engine: a message is being written: Close its writer first")

// NextWriter begins a message that is sent in parts: each Write is a fragment, Close
// ends it. op is Text or Binary; a fragment may end within a code point. Pings, pongs
// and a close frame may go out between the fragments; other messages, sent or
// published, wait until Close. They are queued like any others, so a writer must be
// closed soon.
//
// Like Send, Write never blocks and counts against MaxOutbox: to send much, go by
// BufferedAmount and Handler.Drain, or use NetConn. The writer is for one goroutine
// at a time. Its errors are Send's, and io.ErrClosedPipe after Close. A Write that is
// refused ends the message: nothing was sent if it was the first, and the connection
// ends if it was not, for half a message can be neither dropped nor taken for a whole.
// Further Writes, and Close, then return the same error.
//
// The error is a *StateError when c is not open, ErrWriting while another writer is.
func (c *Conn) NextWriter(op Opcode) (io.WriteCloser, error) {
	return c.NextWriterWith(op, SendOptions{})
}

// NextWriterWith is NextWriter with options for the whole message. More means
// nothing, and Done is told of its end.
func (c *Conn) NextWriterWith(op Opcode, o SendOptions) (io.WriteCloser, error) {
	if c.is(flagDeflate) {
		z := c.ext.deflate
		z.mu.Lock()
		defer z.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.sendable(0); err != nil {
		return nil, err
	}
	if c.is(flagWriter | flagFragment) {
		return nil, ErrWriting
	}
	c.set(flagWriter)
	o.writer = true
	return &messageWriter{c: c, op: op, o: o}, nil
}

// messageWriter is one message's.
type messageWriter struct {
	c      *Conn
	op     Opcode
	o      SendOptions
	closed bool
	err    error // of the Write that was refused
}

func (w *messageWriter) Write(p []byte) (int, error) {
	if w.closed {
		return 0, io.ErrClosedPipe
	}
	if w.err != nil || len(p) == 0 {
		return 0, w.err
	}
	o := w.o
	o.More, o.Done = true, nil
	if w.err = w.c.SendWith(w.op, p, o); w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// Close sends the last fragment, an empty one, and then what waited for it.
func (w *messageWriter) Close() error {
	if w.closed {
		return io.ErrClosedPipe
	}
	w.closed = true
	c, o := w.c, w.o
	o.More = false
	if w.err == nil {
		w.err = c.SendWith(w.op, nil, o)
	}
	if c.is(flagDeflate) {
		z := c.ext.deflate
		z.mu.Lock()
		defer z.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unset(flagWriter)
	c.goOn()
	return w.err
}
