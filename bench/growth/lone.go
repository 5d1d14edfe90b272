//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// lone sends messages one by one, with a pause before each in which the servers
// go to sleep, and returns the median and the p99 of the times to the echo in µs.
// Its blocking sockets, on a thread of the load's core, add the least to that.
func (t *site) lone(ctx context.Context) (p50, p99 float64, err error) {
	core, err := strconv.Atoi(t.o.loadCPU)
	if err != nil {
		return 0, 0, fmt.Errorf("-load-cpu %s: want one core", t.o.loadCPU)
	}
	done := make(chan struct{})
	var times []float64
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread, bound to a core, ends with the goroutine
		times, err = t.loneOn(ctx, core)
	}()
	<-done
	if err != nil {
		return 0, 0, err
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100], nil
}

func (t *site) loneOn(ctx context.Context, core int) ([]float64, error) {
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("sched_setaffinity: %w", err)
	}
	var fds []int
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd) // nothing is to come
		}
	}()
	for _, s := range t.servers {
		fd, err := dial(s.port)
		if err != nil {
			return nil, err
		}
		fds = append(fds, fd)
	}
	var times []float64
	for i := range 400 {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		pause := unix.NsecToTimespec(int64(4*time.Millisecond) + int64(i%7)*int64(300*time.Microsecond))
		_ = unix.Nanosleep(&pause, nil) // cut short by a signal it is a pause too
		took, err := echo(fds[i%len(fds)])
		if err != nil {
			return nil, err
		}
		times = append(times, float64(took.Nanoseconds())/1e3)
	}
	return times, nil
}

// dial is a connection, upgraded, whose calls block.
func dial(port int) (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	limit := unix.NsecToTimeval(int64(20 * time.Second))
	err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	if err == nil {
		_, err = unix.Write(fd, []byte(request))
	}
	var answer []byte
	for err == nil && !bytes.HasSuffix(answer, []byte("\r\n\r\n")) {
		var p [2048]byte
		n, errRead := read(fd, p[:])
		if err = errRead; err == nil && n == 0 {
			err = errors.New("closed by the server")
		}
		answer = append(answer, p[:max(0, n)]...)
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("lone connection: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// echo sends 64 bytes and takes the time until they are back.
func echo(fd int) (time.Duration, error) {
	frame := append([]byte{0x82, 0x80 | 64, 0, 0, 0, 0}, make([]byte, 64)...)
	begun := time.Now()
	if _, err := unix.Write(fd, frame); err != nil {
		return 0, fmt.Errorf("lone message: %w", err)
	}
	var p [128]byte
	for n := 0; n < 66; {
		k, err := read(fd, p[n:])
		if err != nil || k == 0 {
			return 0, fmt.Errorf("lone message: read %d bytes of 66, then %d: %w", n, k, err)
		}
		n += k
	}
	return time.Since(begun), nil
}

// read goes on after the runtime's signals, which end a read with a time limit.
func read(fd int, p []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, p); err != unix.EINTR {
			return n, err
		}
	}
}

// awaitListen waits for a server that starts.
func awaitListen(ctx context.Context, port int) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}
