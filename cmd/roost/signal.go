package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// echoTime is how long after the first signal others count as the same one:
// timeout(1) signals its child and then the child's process group.
const echoTime = 500 * time.Millisecond

// untilInterrupted returns a context that the first SIGINT or SIGTERM ends. A
// second one, echoTime later or more, ends the process on the spot, with exit
// code 130. stop gives the signals back.
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
		first := time.Now()
		for {
			select {
			case s := <-signals:
				if time.Since(first) < echoTime {
					continue
				}
				fmt.Fprintf(stderr, "roost: second %v, ending at once\n", s)
				os.Exit(exitForced)
			case <-over:
				return
			}
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
