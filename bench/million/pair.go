package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pair is a server and the client that fills it.
type pair struct {
	server, client *exec.Cmd
	standing       chan struct{} // closed when the client holds its connections
	ended          chan error    // what the client ended with
	reported       string        // the client's report
	before         int64         // the server's resident memory
}

// startPair runs the i-th server, and a client that opens conns connections and
// holds them until it is asked to end.
func (b *bench) startPair(ctx context.Context, i, conns int) (*pair, error) {
	addr := "127.0.0.1:" + strconv.Itoa(firstPort+i)
	p := &pair{
		standing: make(chan struct{}), ended: make(chan error, 1),
		reported: filepath.Join(b.cache, fmt.Sprintf("fleet-%d.json", i)),
	}
	p.server = exec.CommandContext(ctx, b.roostBin, "echo", "--addr", addr, "--loops", "1", "--gc-percent", "25", "--ping-interval", beat.String())
	out, err := p.server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.server.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("server on %s said %q: %w", addr, line, err), p.server.Process.Kill(), p.server.Wait())
	}
	p.before = p.rss()
	// Two addresses, of the servers' own ports: connect(2) searches long for a
	// free port when more than half of an address' are in use.
	p.client = exec.CommandContext(ctx, b.roostBin, "loadtest", "idle", "ws://"+addr+"/", "--conns", strconv.Itoa(conns),
		"--source-ip", "127.0.0.2-127.0.0.3", "--verify", "--hold", "24h", "--server-pid", strconv.Itoa(p.server.Process.Pid),
		"--json", "--out", p.reported)
	p.client.WaitDelay = time.Minute // it may take a while to close them
	p.client.Cancel = func() error { return p.client.Process.Signal(syscall.SIGINT) }
	progress, err := p.client.StderrPipe()
	if err == nil {
		err = p.client.Start()
	}
	if err != nil {
		return nil, errors.Join(err, p.server.Process.Kill(), p.server.Wait())
	}
	go p.follow(bufio.NewScanner(progress))
	return p, nil
}

// follow reads the client's progress to its end.
func (p *pair) follow(lines *bufio.Scanner) {
	var last string
	for stands := false; lines.Scan(); {
		last = lines.Text()
		if !stands && strings.HasPrefix(last, "hold ") {
			stands = true
			close(p.standing)
		}
	}
	if err := p.client.Wait(); err != nil {
		p.ended <- fmt.Errorf("client: %w: %s", err, last)
		return
	}
	p.ended <- nil
}

// stand waits until all connections are open and have been echoed over.
func (p *pair) stand(ctx context.Context) error {
	select {
	case <-p.standing:
		return nil
	case err := <-p.ended:
		p.ended <- err
		return fmt.Errorf("client ended before it held its connections: %w", err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// report ends the client and reads what it reported.
func (p *pair) report() (*report, error) {
	if err := p.client.Process.Signal(syscall.SIGINT); err != nil {
		return nil, err
	}
	err := <-p.ended
	p.ended <- err
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(p.reported)
	if err != nil {
		return nil, err
	}
	r := new(report)
	return r, json.Unmarshal(text, r)
}

// end waits for the client, which the context has ended, and kills the server:
// nothing of it is to be kept.
func (p *pair) end() error {
	<-p.ended
	_ = p.server.Process.Kill() // the context has killed it already
	if err := p.server.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// cpu is what the server has used: the kernel's clock of another process
// (clock_getcpuclockid(3)), as /proc counts ticks.
func (p *pair) cpu() time.Duration {
	const scheduled = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.server.Process.Pid<<3|scheduled), &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func (p *pair) rss() int64 {
	return kibibytes(fmt.Sprintf("/proc/%d/smaps_rollup", p.server.Process.Pid), "Rss:")
}

func slabBytes() int64 { return kibibytes("/proc/meminfo", "Slab:") }

// kibibytes reads a field like "Slab: 5040 kB", in bytes; 0 when it is not there.
func kibibytes(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(name))
	f := bytes.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(f[0]), 10, 64)
	return n << 10
}
