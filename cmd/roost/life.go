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

// begin applies the process-wide limits; stop ends what it started.
func (l *life) begin(cmd *cobra.Command, log *slog.Logger) (stop func(), err error) {
	outliveReaders()
	if cmd.Flags().Changed("gc-percent") {
		debug.SetGCPercent(l.gcPercent)
	}
	if cmd.Flags().Changed("memory-limit") && l.memoryLimit > 0 {
		debug.SetMemoryLimit(l.memoryLimit)
	}
	logDescriptorLimit(log)
	return startProfiler(l.pprof, log)
}

// server is what runs until a signal: the engine's, or the push server.
type server interface {
	Shutdown(ctx context.Context) error
}

// runUntilSignal waits for the first signal, then gives s the grace to end.
// conns counts the connections that are open, for the progress line.
func (l *life) runUntilSignal(cmd *cobra.Command, s server, conns func() int) error {
	ctx, stop := untilInterrupted(cmd.Context(), cmd.ErrOrStderr())
	defer stop()
	<-ctx.Done()
	fmt.Fprintf(cmd.ErrOrStderr(), "roost: closing %d connections, at most %v; interrupt again to end at once\n", conns(), l.grace)
	deadline, cancel := context.WithTimeout(context.Background(), l.grace)
	defer cancel()
	if err := s.Shutdown(deadline); err != nil {
		return fmt.Errorf("shutdown: %w; --shutdown-timeout (%v) gives connections more time", err, l.grace)
	}
	return nil
}
