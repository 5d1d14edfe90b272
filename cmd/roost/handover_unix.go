//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/roost-ws/roost/internal/sock"
)

// notifyHandover asks for the signal by which a server starts its successor.
func notifyHandover(c chan<- os.Signal) { signal.Notify(c, syscall.SIGUSR2) }

// firstInherited is the first descriptor after the standard ones.
const firstInherited = 3

// startHeir starts this program anew, with the same arguments, on the listening
// sockets of s. A program that was replaced on the disk since is the one started.
func startHeir(s server) (*heir, error) {
	fds, err := s.listener().Listeners()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := sock.Pair()
	if err != nil {
		return nil, errors.Join(err, closeAll(fds))
	}
	h, err := spawn(append(slices.Clone(fds), theirs))
	if err = errors.Join(err, closeAll(append(fds, theirs))); err != nil {
		return nil, errors.Join(err, sock.Close(ours))
	}
	h.stream = os.NewFile(uintptr(ours), "handover")
	return h, nil
}

func closeAll(fds []int) (err error) {
	for _, fd := range fds {
		err = errors.Join(err, sock.Close(fd))
	}
	return err
}

// spawn starts the program with descriptors from firstInherited on, the stream last.
func spawn(fds []int) (*heir, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return nil, err
	}
	files := []uintptr{0, 1, 2}
	for _, fd := range fds {
		files = append(files, uintptr(fd))
	}
	// os/exec would make the sockets block on the way, here as there.
	pid, err := syscall.ForkExec(path, os.Args, &syscall.ProcAttr{Env: heirEnv(len(fds) - 1), Files: files})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil, err
	}
	exited := make(chan error, 1)
	go func() {
		state, err := p.Wait()
		if err == nil {
			err = errors.New(state.String())
		}
		exited <- err
	}()
	return &heir{pid: pid, exited: exited, kill: func() { _ = p.Kill() }}, nil // it may have ended
}

// heirEnv is our environment without what was meant for this process alone.
func heirEnv(sockets int) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == handoverEnv || name == "WATCHDOG_PID" || strings.HasPrefix(name, "LISTEN_")
	})
	return append(env, handoverEnv+"="+strconv.Itoa(sockets))
}

// findPredecessor is nil for a process that replaces none.
func findPredecessor() (*predecessor, error) {
	text, ok := os.LookupEnv(handoverEnv)
	if !ok {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<16 {
		return nil, fmt.Errorf("%s=%q is no number of sockets: it is for roost's own use, unset it", handoverEnv, text)
	}
	p := &predecessor{stream: handoverStream(n)}
	for i := range n {
		syscall.CloseOnExec(firstInherited + i)
		p.fds = append(p.fds, firstInherited+i)
	}
	if err := p.greet(); err != nil {
		return nil, fmt.Errorf("%s=%s: %w", handoverEnv, text, err)
	}
	return p, nil
}

// refuseHandover tells the process before this one, if there is one, why this one
// can't take over.
func refuseHandover(why error) {
	if n, err := strconv.Atoi(os.Getenv(handoverEnv)); err == nil {
		text := strings.ReplaceAll(why.Error(), "\n", "; ")
		_, _ = fmt.Fprintln(handoverStream(n), lineFailed+text) // it sees us end in any case
	}
}

func handoverStream(sockets int) *os.File {
	fd := firstInherited + sockets
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "handover")
}

// handOver starts a process that takes this one's place, and returns nil when it
// serves.
func (l *life) handOver(ctx context.Context, s server) (pid int, err error) {
	h, err := startHeir(s)
	if err != nil {
		return 0, err
	}
	return h.pid, h.await(ctx, s, l.grace)
}
