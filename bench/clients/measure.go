//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"time"
)

// measure runs a client against a fresh server.
func (b *bench) measure(ctx context.Context, c client) (figure, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port))
	server := exec.CommandContext(ctx, "taskset", "-c", b.serverCPU, b.bin("limit"), "-addr", addr)
	if err := server.Start(); err != nil {
		return figure{}, err
	}
	defer func() {
		_ = server.Process.Kill() // it runs until then
		_ = server.Wait()
	}()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return c.run(ctx)
		}
		if time.Since(begun) > 5*time.Second {
			return figure{}, fmt.Errorf("the server does not listen: %w", err)
		}
	}
}

// output is what a client on its core prints, and the CPU time of its process and of those that it
// waited for.
func (b *bench) output(ctx context.Context, env []string, name string, args ...string) ([]byte, time.Duration, error) {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", b.clientCPU, name}, args...)...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			err = fmt.Errorf("%w\n%s%s", err, out, exit.Stderr)
		}
		return nil, 0, err
	}
	return out, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
