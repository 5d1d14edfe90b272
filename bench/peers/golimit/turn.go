//go:build linux

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawRead and rawWrite spare the scheduler's entry and exit: the descriptors
// are non-blocking, so the calls cannot hold the thread.
func rawRead(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

func rawWrite(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

func (s *server) turn(c *conn, hup bool) {
	for {
		have := copy(s.rbuf, c.in)
		n, errno := rawRead(c.fd, s.rbuf[have:])
		if errno == unix.EAGAIN {
			return
		}
		if errno != 0 || n == 0 {
			s.close(c)
			return
		}
		in := s.rbuf[:have+n]
		drained := len(in) < len(s.rbuf) && !hup
		if !c.open {
			in = in[s.upgrade(c, in):]
		}
		if c.open {
			in = in[s.frames(c, in):]
		}
		if c.seat < 0 {
			return
		}
		if len(in) > 0 {
			c.in = append(c.in[:0], in...)
		} else {
			c.in = nil
		}
		if drained {
			return
		}
	}
}

func (s *server) send(c *conn, p []byte) {
	if c.seat < 0 || len(p) == 0 {
		return
	}
	if len(c.out) == 0 {
		n, errno := rawWrite(c.fd, p)
		if errno != 0 && errno != unix.EAGAIN {
			s.close(c)
			return
		}
		if errno == 0 {
			p = p[n:]
		}
	}
	if len(c.out)+len(p) > maxPending {
		s.close(c)
	} else if len(p) > 0 {
		c.out = append(c.out, p...)
	}
}

func (s *server) flush(c *conn) {
	n, errno := rawWrite(c.fd, c.out)
	switch {
	case errno == unix.EAGAIN:
	case errno != 0:
		s.close(c)
	case n == len(c.out):
		c.out = nil
	default:
		c.out = c.out[n:]
	}
}

// upgrade answers a complete request and returns its length, 0 while it is incomplete.
func (s *server) upgrade(c *conn, in []byte) int {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < 0 {
		if len(in) > 8192 {
			s.close(c)
		}
		return 0
	}
	const name = "\r\nsec-websocket-key:"
	_, after, ok := bytes.Cut(bytes.ToLower(in[:end+2]), []byte(name))
	if !ok {
		s.close(c)
		return 0
	}
	line := in[end+2-len(after) : end+2]
	key, _, _ := bytes.Cut(line, []byte("\r\n"))
	sum := sha1.Sum(append(bytes.Clone(bytes.TrimSpace(key)), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	answer := append(s.wbuf[:0], "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	answer = append(base64.StdEncoding.AppendEncode(answer, sum[:]), "\r\n\r\n"...)
	c.open = true
	s.send(c, answer)
	return end + 4
}

// frames answers every whole frame, in one write, and returns the bytes used.
func (s *server) frames(c *conn, in []byte) (used int) {
	out := s.wbuf[:0]
	for {
		h := in[used:]
		if len(h) < 6 {
			break
		}
		size, head := int(h[1]&127), 6
		switch {
		case size == 126 && len(h) >= 8:
			size, head = int(binary.BigEndian.Uint16(h[2:])), 8
		case size == 127 && len(h) >= 14:
			size, head = int(binary.BigEndian.Uint64(h[2:])), 14
		case size >= 126:
			s.send(c, out)
			return used
		}
		if h[1]&128 == 0 || h[0]&0x70 != 0 || size < 0 || size > bufferSize-14 {
			s.close(c)
			return used
		}
		if len(h) < head+size {
			break
		}
		op, start := h[0]&15, len(out)
		used += head + size
		if op == opPong {
			continue
		}
		out = append(out, h[:head-4]...)
		out[start+1] &= 127
		if op == opPing {
			out[start] = 0x80 | opPong
		}
		out = unmask(out, h[head:head+size], h[head-4:head])
		if op == opClose {
			s.send(c, out)
			s.close(c)
			return used
		}
		if s.broadcast && op < opClose {
			s.cast(out[start:])
			out = out[:start]
		}
	}
	s.send(c, out)
	return used
}

const (
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// cast goes backwards, since send may close a connection, which moves the last to its seat.
func (s *server) cast(frame []byte) {
	for i := len(s.conns) - 1; i >= 0; i-- {
		if s.conns[i].open {
			s.send(s.conns[i], frame)
		}
	}
}

// unmask appends src, unmasked with key, to dst, which has the room.
func unmask(dst, src, key []byte) []byte {
	k32 := binary.LittleEndian.Uint32(key)
	k := uint64(k32)<<32 | uint64(k32)
	at := len(dst)
	dst = dst[:at+len(src)]
	to, i := dst[at:], 0
	for ; i+8 <= len(src); i += 8 {
		binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(src[i:])^k)
	}
	for ; i < len(src); i++ {
		to[i] = src[i] ^ key[i&3]
	}
	return dst
}
