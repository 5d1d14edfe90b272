package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// untilInterrupted returns a context that the first SIGINT or SIGTERM ends. A
// second one ends the process on the spot, with exit code 130. stop gives the
// signals back.
func untilInterrupted(parent context.Context, stderr io.Writer) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-over:
			return
		}
		select {
		case s := <-signals:
			fmt.Fprintf(stderr, "roost: second %v, ending at once\n", s)
			os.Exit(exitForced)
		case <-over:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(over)
		cancel()
	}
}

// outliveReaders keeps a server alive when whoever read its output is gone.
// Without it the Go runtime ends the process on a write to a broken stdout or
// stderr, which suits `roost sub | head` but not a server.
func outliveReaders() { signal.Ignore(syscall.SIGPIPE) }
