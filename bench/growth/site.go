//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	roost = "roost"
	floor = "limit"

	// active connections are those of the loads; all others are idle.
	active = 1000
	// share is what one process holds: a process has 20,000 descriptors here.
	share = 18_000
)

func processes(conns int) int { return (conns + share - 1) / share }

// site is some server processes, and idle connections to each.
type site struct {
	o       options
	servers []*server
}

type server struct {
	port  int
	cmd   *exec.Cmd
	log   safeBuffer // its standard error, with the collector's trace
	idle  *exec.Cmd
	stop  func() error // ends idle
	ready chan error   // idle stands, or why not
}

// open starts the servers of so many connections, of which `idle` are opened now
// and kept by what hold makes for a server.
func (o options) open(ctx context.Context, kind string, conns, idle, port int, flags []string, hold func(ctx context.Context, s *server, n int) error) (_ *site, err error) {
	t := &site{o: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	n := processes(conns)
	for i := range n {
		s := &server{port: port + i}
		if err := o.start(s, kind, flags); err != nil {
			return nil, err
		}
		t.servers = append(t.servers, s)
		// One after another: each has the processors for itself, and opens fastest so.
		if mine := idle*(i+1)/n - idle*i/n; mine > 0 {
			if err := hold(ctx, s, mine); err != nil {
				return nil, err
			}
			select {
			case err := <-s.ready:
				if err != nil {
					return nil, fmt.Errorf("%d idle connections: %w", mine, err)
				}
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return t, nil
}

// start runs one server, with the collector's trace on.
func (o options) start(s *server, kind string, flags []string) error {
	addr := "127.0.0.1:" + strconv.Itoa(s.port)
	argv := []string{"-c", o.serverCPU, o.cache + "/" + kind, "-addr", addr}
	if kind == roost {
		argv = append([]string{"-c", o.serverCPU, o.cache + "/" + roost, "echo", "--addr", addr, "--loops", "1", "--pprof", profiles(s.port)}, flags...)
	}
	s.cmd = exec.Command("taskset", argv...)
	s.cmd.Env = append(os.Environ(), "GODEBUG=gctrace=1")
	s.cmd.Stderr = &s.log
	return s.cmd.Start()
}

// profiles is where a server is asked to collect.
func profiles(port int) string { return "127.0.0.1:" + strconv.Itoa(port+100) }

// holdByC keeps idle connections with the load in C, which says so in a line.
func (o options) holdByC(ctx context.Context, s *server, n int) error {
	s.idle = exec.CommandContext(ctx, "taskset", "-c", o.loadCPU, o.cache+"/load", "-p", strconv.Itoa(s.cmd.Process.Pid), "idle", "127.0.0.1", strconv.Itoa(s.port), strconv.Itoa(n), "0")
	in, err := s.idle.StdinPipe()
	if err != nil {
		return err
	}
	s.stop = in.Close
	out, err := s.idle.StdoutPipe()
	if err != nil {
		return err
	}
	return s.begin(bufio.NewScanner(out), "{")
}

// holdByHarness keeps them with roost loadtest, which answers pings.
func (o options) holdByHarness(ctx context.Context, s *server, n int) error {
	s.idle = exec.CommandContext(ctx, "taskset", "-c", o.loadCPU, o.cache+"/"+roost, "loadtest", "idle", fmt.Sprintf("ws://127.0.0.1:%d/", s.port),
		"--conns", strconv.Itoa(n), "--source-ip", "127.0.0.2-127.0.0.9", "--hold", "24h", "--server-pid", strconv.Itoa(s.cmd.Process.Pid), "--out", os.DevNull)
	s.stop = func() error { return s.idle.Process.Signal(unix.SIGINT) }
	progress, err := s.idle.StderrPipe()
	if err != nil {
		return err
	}
	if err := awaitListen(ctx, s.port); err != nil {
		return err
	}
	return s.begin(bufio.NewScanner(progress), "hold ")
}

// begin starts idle; it stands when a line begins like that.
func (s *server) begin(lines *bufio.Scanner, like string) error {
	var complaint safeBuffer
	if s.idle.Stderr == nil {
		s.idle.Stderr = &complaint
	}
	if err := s.idle.Start(); err != nil {
		return err
	}
	s.ready = make(chan error, 1)
	go func() {
		last, stood := "", false
		for lines.Scan() {
			if last = lines.Text(); !stood && strings.HasPrefix(last, like) {
				stood = true
				s.ready <- nil
			}
		}
		if !stood {
			s.ready <- fmt.Errorf("%s %s", last, complaint.String())
		}
	}()
	return nil
}

// close ends the loads, which tell whether a connection was lost, and kills the
// servers: nothing of them is to be kept.
func (t *site) close() (err error) {
	for _, s := range t.servers {
		if s.idle != nil && s.idle.Process != nil {
			err = errors.Join(err, s.stop(), s.idle.Wait())
		}
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // reports the kill
	}
	return err
}

// cpu is what the servers have used: the kernel's clock of another process
// (clock_getcpuclockid(3)), as /proc counts ticks.
func (t *site) cpu() (sum time.Duration, err error) {
	const scheduled = 2
	for _, s := range t.servers {
		var spec unix.Timespec
		if err := unix.ClockGettime(int32(^s.cmd.Process.Pid<<3|scheduled), &spec); err != nil {
			return 0, fmt.Errorf("clock of server %d: %w; %s", s.cmd.Process.Pid, err, s.log.String())
		}
		sum += time.Duration(spec.Nano())
	}
	return sum, nil
}

// safeBuffer may be read while a process writes to it.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
