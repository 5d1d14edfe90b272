package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/loadtest/scrape"
)

// loadtestFlags are those that all scenarios have.
type loadtestFlags struct {
	conns, dialing, loops, procs int
	rate                         int64
	timeout                      time.Duration
	sources                      []string
	scrape, scrapeMatch          string
	pids                         []int
	agents                       agentFlags
	peer                         peerFlags
	outcome                      outcomeFlags
	quiet                        bool
	alone                        string // why the scenario can't be divided; "" if it can
}

func (l *loadtestFlags) register(f *pflag.FlagSet) {
	count(f, &l.conns, "conns", 1000, 1, 1<<26, "connections to open")
	count(f, &l.rate, "connect-rate", 0, 0, 1e9, "connections to begin a second, 0 for as many as --dialing lets")
	count(f, &l.dialing, "dialing", 256, 1, 1<<20, "handshakes under way at a time")
	positive(f, &l.timeout, "timeout", 10*time.Second, time.Hour, "how long connect and handshake of one connection may take")
	count(f, &l.loops, "loops", 1, 1, 1024, "event loops that drive the connections, each at most one core")
	count(f, &l.procs, "procs", 1, 1, 1024, "processes that do the run together, each with its own limit of descriptors")
	f.StringArrayVar(&l.sources, "source-ip", nil, "connect from this `address`, or range of addresses, in turn (repeatable)")
	f.IntSliceVar(&l.pids, "server-pid", nil, "the server's `process`, for its CPU and memory (default: found by its listening socket)")
	f.StringVar(&l.scrape, "scrape", "", "read the server's Prometheus metrics at this `URL` once a second, into the report")
	f.StringVar(&l.scrapeMatch, "scrape-match", scrape.DefaultMatch, "with --scrape, the metrics to keep: a regular `expression` for their names")
	l.agents.register(f)
	l.peer.register(f)
	l.outcome.register(f)
	f.BoolVarP(&l.quiet, "quiet", "q", false, "print no progress")
}

func (l *loadtestFlags) options(urls []string) (loadtest.Options, error) {
	all := loadtest.SplitURLs(strings.Join(urls, ","))
	if err := findProcesses(l.pids); err != nil {
		return loadtest.Options{}, err
	}
	o := loadtest.Options{
		URL: all[0], More: all[1:], Conns: l.conns, ConnectRate: float64(l.rate), Dialing: l.dialing,
		Timeout: l.timeout, Loops: l.loops, ServerPIDs: l.pids,
	}
	if len(l.sources) > 0 {
		sources, err := loadtest.ParseSources(strings.Join(l.sources, ","))
		if err != nil {
			return o, usageError{err}
		}
		o.Sources = sources
	}
	return o, l.peer.apply(&o)
}

// findProcesses refuses what is no process: the report would lack its figures and not say why.
func findProcesses(pids []int) error {
	for _, pid := range pids {
		if pid > 0 {
			p, err := os.FindProcess(pid)
			if err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone) {
				continue
			}
		}
		return usagef("--server-pid %d: this machine has no such process: leave it away to have the server found by its listening socket", pid)
	}
	return nil
}

// maybeEmpty are the flags whose empty value is honoured: no token, no secret, no settings file.
var maybeEmpty = []string{"agents-token", "token", "app-secret", "config"}

// refuseEmpty has cmd refuse empty values on the command line, mostly of a shell's variable that is not set: they
// would mean the default.
func refuseEmpty(cmd *cobra.Command) {
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) (err error) {
		cmd.Flags().Visit(func(f *pflag.Flag) {
			if f.Value.String() == "" && !slices.Contains(maybeEmpty, f.Name) {
				err = usagef("--%s: its value is empty: give one, or leave the flag away", f.Name)
			}
		})
		if err != nil || check == nil {
			return err
		}
		return check(cmd, args)
	}
}

// oldRate is what --connect-rate of idle was called before it was settled that
// --rate is messages.
func oldRate(f *pflag.FlagSet, at *int64) {
	count(f, at, "rate", 0, 0, 1e9, "connections to begin a second: the old name of --connect-rate")
	old := f.Lookup("rate")
	old.Hidden, old.Annotations = true, map[string][]string{oldName: {"connect-rate"}}
}
