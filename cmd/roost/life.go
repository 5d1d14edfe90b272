package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/roost-ws/roost/engine"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// life is what every server command does around its server: the process-wide
// limits at the start, reloads and replacement while it runs, and the orderly end.
type life struct {
	grace       time.Duration
	gcPercent   int
	memoryLimit int64
	pprof       string
}

func (l *life) register(f *pflag.FlagSet) {
	duration(f, &l.grace, "shutdown-timeout", 10*time.Second, time.Hour, "how long connections may take to close after the first SIGINT or SIGTERM")
	count(f, &l.gcPercent, "gc-percent", 100, -1, 10000, "heap growth that starts a garbage collection, -1 for never (as GOGC)")
	size(f, &l.memoryLimit, "memory-limit", 0, 0, 1<<50, "memory at which the garbage collector works harder, 16MiB or more, 0 for no limit (as GOMEMLIMIT)")
	f.StringVar(&l.pprof, "pprof", "", "serve net/http/pprof on this loopback `host:port`")
	_ = f.MarkHidden("pprof") // fails only for a flag that is not there
}

// leastMemory is about what a server without connections takes.
const leastMemory = 16 << 20

func (l *life) check() error {
	if l.memoryLimit > 0 && l.memoryLimit < leastMemory {
		return usagef("--memory-limit %q: the collector would never rest; give %s or more, or 0 for no limit", sizeText(l.memoryLimit), sizeText(leastMemory))
	}
	return nil
}

// server is what a server command runs until a signal comes.
type server interface {
	Shutdown(ctx context.Context) error // waits for connections to close, and ends those left when ctx ends
	conns() int                         // open now
	listener() *engine.Server           // whose sockets the next process gets
	kept() kept                         // what the next process is told
	release(ctx context.Context) error  // gives up what only one process may have; Shutdown follows
	reload(log *slog.Logger) error      // reads the settings again; an error means that nothing has changed
}

// run starts a server, does what signals ask for until the first that ends it, and
// gives the server the grace to end. Signals are caught before start, so that
// whoever waits for what start prints may send one.
func (l *life) run(cmd *cobra.Command, start func(*launch) (server, error)) error {
	log, err := newLogger(cmd)
	if err != nil {
		return err
	}
	outliveReaders()
	notices := newNotices(cmd, log)
	ctx, giveBack := untilInterrupted(cmd.Context(), notices)
	defer giveBack()
	asked := make(chan os.Signal, 1) // more of them ask for the same
	signal.Notify(asked, syscall.SIGHUP)
	notifyHandover(asked)
	defer signal.Stop(asked)
	l.limitMemory(cmd)
	logDescriptorLimit(log)
	stopProfiler, err := startProfiler(l.pprof, log)
	if err != nil {
		return err
	}
	defer stopProfiler()
	s, err := l.begin(log, start)
	if err != nil {
		return err
	}
	return l.serve(ctx, notices, s, asked, manager{log})
}

// begin takes over what the process before this one, or the service manager, left
// open, and lets them know when the server serves.
func (l *life) begin(log *slog.Logger, start func(*launch) (server, error)) (server, error) {
	from, err := findPredecessor()
	if err != nil {
		return nil, err
	}
	in := &launch{log: log, from: from}
	if err := in.inherit(); err != nil {
		return nil, err
	}
	s, err := start(in)
	if err != nil {
		return nil, err
	}
	if err := from.ready(); err != nil {
		log.Warn("the process before this one could not be told that it may end", "err", err)
	}
	manager{log}.ready()
	return s, nil
}

// serve does what signals ask for until ctx ends.
func (l *life) serve(ctx context.Context, notices io.Writer, s server, asked <-chan os.Signal, m manager) error {
	living, dies := context.WithCancel(context.Background())
	defer dies()
	m.watchdog(living)
	for {
		select {
		case <-ctx.Done():
			m.stopping()
			return l.shutdown(notices, s)
		case sig := <-asked:
			if sig == syscall.SIGHUP {
				m.reloading()
				if err := s.reload(m.log); err != nil {
					m.log.Error("settings not read again: those before stay in use", "err", err)
				}
				m.ready()
				continue
			}
			m.log.Info("starting the process that takes over")
			pid, err := l.handOver(ctx, s)
			if errors.Is(err, errNoWayBack) {
				return errors.Join(fmt.Errorf("hand-over: %w", err), l.shutdown(notices, s))
			}
			if err != nil {
				m.log.Error("no process takes over: this one goes on", "err", err)
				continue
			}
			m.succeeded(pid)
			m.log.Info("another process serves now", "pid", pid)
			settle(ctx, s.listener())
			return l.shutdown(notices, s)
		}
	}
}

func (l *life) limitMemory(cmd *cobra.Command) {
	if cmd.Flags().Changed("gc-percent") {
		debug.SetGCPercent(l.gcPercent)
	}
	if l.memoryLimit > 0 {
		debug.SetMemoryLimit(l.memoryLimit)
	}
}

func (l *life) shutdown(notices io.Writer, s server) error {
	fmt.Fprintf(notices, "roost: closing %d connections, at most %v; interrupt again to end at once\n", s.conns(), l.grace)
	ctx, cancel := context.WithTimeout(context.Background(), l.grace)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutdown: %w; --shutdown-timeout (%v) gives connections more time", err, l.grace)
	}
	return nil
}
