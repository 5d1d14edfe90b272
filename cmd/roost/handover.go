package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/roost-ws/roost/engine"
)

// A server is replaced without refusing a connection: the old process starts the
// new one with its listening sockets, and with a stream over which they talk in
// lines.
//
//	old  {"key":…}    what the new one can't know from its settings
//	new  release      it needs what only one process may have (the bus's folder)
//	old  released     it is free; the old one has accepted no more before
//	new  ready        it accepts: the old one may end
//	new  failed WHY   or the end of the stream: the old one goes on
const (
	lineRelease  = "release"
	lineReleased = "released"
	lineReady    = "ready"
	lineFailed   = "failed "
)

// handoverEnv tells the new process how many sockets it was given, beginning with
// descriptor 3; the stream is the descriptor after them.
const handoverEnv = "ROOST_HANDOVER"

const (
	startTime  = 3 * time.Minute // in which the new process must be ready
	lingerTime = time.Second     // for who has just connected to get done what it came for
)

// kept is what the new process can't know from its settings: what was made up.
type kept struct {
	Key    string `json:"key,omitempty"`
	Secret string `json:"secret,omitempty"`
	Token  string `json:"token,omitempty"`
}

// heir is the new process, as the old one sees it.
type heir struct {
	pid    int
	stream deadliner
	exited <-chan error
	kill   func()
}

type deadliner interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// errNoWayBack is why a hand-over that failed ends the old process too.
var errNoWayBack = errors.New("this process had already given up what only one may have: start anew")

// await serves h until it is ready. An error that is not errNoWayBack means that
// this process goes on as before.
func (h *heir) await(ctx context.Context, s server, grace time.Duration) error {
	stop := context.AfterFunc(ctx, func() { _ = h.stream.SetDeadline(time.Now()) })
	defer stop()
	released := false
	err := h.stream.SetDeadline(time.Now().Add(startTime))
	if err == nil {
		err = json.NewEncoder(h.stream).Encode(s.kept())
	}
	lines := bufio.NewScanner(h.stream)
	for err == nil && lines.Scan() {
		switch line := lines.Text(); {
		case line == lineReady:
			return h.stream.Close()
		case line == lineRelease && !released:
			released = true
			if err = release(ctx, s, grace); err == nil {
				_, err = fmt.Fprintln(h.stream, lineReleased)
			}
		default:
			err = errors.New(strings.TrimPrefix(line, lineFailed))
		}
	}
	h.kill()
	err = errors.Join(err, lines.Err(), h.stream.Close())
	if err == nil {
		err = fmt.Errorf("the new process ended: %w", <-h.exited)
	}
	if released {
		err = fmt.Errorf("%w: %w", errNoWayBack, err)
	}
	return err
}

// release gives up, in time, what only one process may have.
func release(ctx context.Context, s server, grace time.Duration) error {
	settle(ctx, s.listener())
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if err := s.release(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// settle stops accepting, which is the new process's now, and lets those who have
// just come get what they came for.
func settle(ctx context.Context, s *engine.Server) {
	s.StopAccepting()
	for end := time.Now().Add(5 * lingerTime); s.Handshakes() > 0 && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(10 * time.Millisecond)
	}
	select {
	case <-ctx.Done():
	case <-time.After(lingerTime):
	}
}

// predecessor is the old process, as the new one sees it. All methods do nothing
// without one.
type predecessor struct {
	fds    []int
	kept   kept
	stream deadliner
	lines  *bufio.Scanner
}

// greet reads what the old process says first.
func (p *predecessor) greet() error {
	p.lines = bufio.NewScanner(p.stream)
	if err := p.stream.SetDeadline(time.Now().Add(startTime)); err != nil {
		return err
	}
	if !p.lines.Scan() {
		return fmt.Errorf("the process to be replaced says nothing: %w", errors.Join(p.lines.Err(), io.ErrUnexpectedEOF))
	}
	return json.Unmarshal(p.lines.Bytes(), &p.kept)
}

// made is what the old process had made up.
func (p *predecessor) made() kept {
	if p == nil {
		return kept{}
	}
	return p.kept
}

// release returns when the old process has given up what only one may have.
func (p *predecessor) release(log *slog.Logger) error {
	if p == nil {
		return nil
	}
	log.Info("waiting for the process before this one to give up its data")
	if _, err := fmt.Fprintln(p.stream, lineRelease); err != nil {
		return err
	}
	if !p.lines.Scan() || p.lines.Text() != lineReleased {
		return fmt.Errorf("the process to be replaced did not give up its data: %w", errors.Join(p.lines.Err(), io.ErrUnexpectedEOF))
	}
	return nil
}

// ready lets the old process end.
func (p *predecessor) ready() error {
	if p == nil {
		return nil
	}
	_, err := fmt.Fprintln(p.stream, lineReady)
	return errors.Join(err, p.stream.Close(), os.Unsetenv(handoverEnv))
}
