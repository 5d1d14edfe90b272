package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// life is what every server command does around its server: the process-wide
// limits at the start, and the orderly end.
type life struct {
	grace       time.Duration
	gcPercent   int
	memoryLimit int64
	pprof       string
}

func (l *life) register(f *pflag.FlagSet) {
	duration(f, &l.grace, "shutdown-timeout", 10*time.Second, time.Hour, "how long connections may take to close after the first SIGINT or SIGTERM")
	count(f, &l.gcPercent, "gc-percent", 100, -1, 10000, "heap growth that starts a garbage collection, -1 for never (as GOGC)")
	size(f, &l.memoryLimit, "memory-limit", 0, 0, 1<<50, "memory at which the garbage collector works harder, 0 for no limit (as GOMEMLIMIT)")
	f.StringVar(&l.pprof, "pprof", "", "serve net/http/pprof on this loopback `host:port`")
	_ = f.MarkHidden("pprof") // fails only for a flag that is not there
}

// server is what a server command runs until a signal comes.
type server interface {
	Shutdown(ctx context.Context) error // waits for connections to close, and ends those left when ctx ends
	conns() int                         // open now
}

// run starts a server, waits for the first signal, and gives the server the
// grace to end. Signals are caught before start, so that whoever waits for what
// start prints may send one.
func (l *life) run(cmd *cobra.Command, start func(*slog.Logger) (server, error)) error {
	log, err := newLogger(cmd)
	if err != nil {
		return err
	}
	outliveReaders()
	ctx, giveBack := untilInterrupted(cmd.Context(), cmd.ErrOrStderr())
	defer giveBack()
	l.limitMemory(cmd)
	logDescriptorLimit(log)
	stopProfiler, err := startProfiler(l.pprof, log)
	if err != nil {
		return err
	}
	defer stopProfiler()
	s, err := start(log)
	if err != nil {
		return err
	}
	<-ctx.Done()
	return l.shutdown(cmd, s)
}

func (l *life) limitMemory(cmd *cobra.Command) {
	if cmd.Flags().Changed("gc-percent") {
		debug.SetGCPercent(l.gcPercent)
	}
	if l.memoryLimit > 0 {
		debug.SetMemoryLimit(l.memoryLimit)
	}
}

func (l *life) shutdown(cmd *cobra.Command, s server) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "roost: closing %d connections, at most %v; interrupt again to end at once\n", s.conns(), l.grace)
	ctx, cancel := context.WithTimeout(context.Background(), l.grace)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutdown: %w; --shutdown-timeout (%v) gives connections more time", err, l.grace)
	}
	return nil
}
