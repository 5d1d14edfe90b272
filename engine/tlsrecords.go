package engine

import (
	"syscall"

	"github.com/roost-ws/roost/codec"
)

// addSealed appends records, which become the outbox's.
func (o *outbox) addSealed(p []byte, b *codec.Bytes) {
	o.size += len(p)
	if o.sealed == nil {
		o.sealed = p
		return
	}
	n := len(o.sealed)
	if cap(o.sealed) < n+len(p) {
		o.sealed = b.Grow(o.sealed, n+len(p))[:n]
	}
	o.sealed = append(o.sealed, p...)
	b.Put(p)
}

// writeTLS is write for a connection with TLS: plaintext is sealed a record at a
// time, when the kernel has taken the one before, so that what waits long waits
// as it was queued: shared, and once.
func (o *outbox) writeTLS(fd int, t *tlsConn, b *codec.Bytes) error {
	for o.size > 0 {
		if o.off == len(o.sealed) {
			if err := o.seal(t, b); err != nil {
				return err
			}
		}
		n, err := t.c.loop.sys.Write(fd, o.sealed[o.off:])
		if err != nil {
			return err
		}
		o.size -= n
		o.off += n
		if o.off < len(o.sealed) {
			return syscall.EAGAIN
		}
		b.Put(o.sealed)
		o.sealed, o.off, o.sure = nil, 0, len(o.acks)
	}
	return nil
}

// seal makes the next record of what is queued.
func (o *outbox) seal(t *tlsConn, b *codec.Bytes) error {
	buf := b.Get(maxRecord)
	defer b.Put(buf)
	n := 0
	for _, c := range o.chunks[o.head:] {
		n += copy(buf[n:], c.b[c.off:])
	}
	if _, err := t.conn.Write(buf[:n]); err != nil {
		return err
	}
	o.wrote(n, b)
	o.addSealed(t.take(), b)
	return nil
}
