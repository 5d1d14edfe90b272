package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roost-ws/roost/loadtest"
)

func newLoadtestStormCommand() *cobra.Command {
	var (
		shared loadtestFlags
		to     pusherFlags
		storm  loadtest.Storm
		cut    string
		kill   int
		signal string
		given  []string // on the command line, of those that say what to publish
	)
	pusher := pflag.NewFlagSet("pusher", pflag.ContinueOnError)
	to.register(pusher, 0)
	cmd := &cobra.Command{
		Use:   "storm URL...",
		Short: "Cut all connections at once: how long until all are back, and what they missed",
		Long: `Storm opens connections, has them stand, and cuts all at once: by resetting them, or with their server (--cut server, which waits
for the server to die or --kill-pid's process to get --signal). They come back with backoff and full jitter, to the next URL when one fails. It prints
when 50, 90, 99 and 100 % were back, and how many attempts that took.

With --channels, --app-key or --history the connections subscribe at a Pusher server, as in loadtest push, to one channel unless --channels
says more, and events are published throughout; without, they are any WebSocket's. With --history they resume from
the last position that they had (Roost's addition to the protocol), and each subscriber should get each event, once and in order.`,
		Example: `  # any server: can it take everyone at once?
  roost loadtest storm ws://127.0.0.1:8081/ --conns 10k --herd

  # a node of a fleet is killed: is anything lost?
  roost loadtest storm ws://127.0.0.1:8080,ws://127.0.0.1:8082 --conns 1k --channels 10 --rate 1k --history --cut server --kill-pid 4711 \
    --expect lost==0 --expect duplicates==0 --expect unrecovered==0 --expect unreturned==0`,
		// Arguments are checked before the environment and the file, which may serve other scenarios, set flags.
		Args: func(cmd *cobra.Command, args []string) error {
			given = changed(pusher)
			return cobra.MinimumNArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			urls := loadtest.SplitURLs(strings.Join(args, ","))
			storm.Server = cut == "server" || kill != 0
			if kill != 0 {
				s, err := signalNamed(signal)
				if err != nil {
					return usageError{err}
				}
				storm.Kill = func() error { return sendSignal(kill, s) }
			}
			if cmd.Flags().Changed("channels") || to.p.Resume || cmd.Flags().Changed("app-key") {
				p, err := to.pusher(cmd.Context(), urls[0])
				if err != nil {
					return err
				}
				storm.Pusher = &p
			} else if len(given) > 0 && partOf(cmd.Context()) == nil {
				return usagef("%s: without --channels nobody subscribes and nothing is published: give --channels too", strings.Join(given, ", "))
			}
			return shared.run(cmd, args, func(ctx context.Context, o loadtest.Options) (*loadtest.Report, error) {
				storm.Options = o
				storm.Before, storm.After = notAtAll(storm.Before), notAtAll(storm.After)
				return storm.Run(ctx)
			})
		},
	}
	f := cmd.Flags()
	shared.register(f)
	pusher.Lookup("channels").Usage = "subscribe to so many channels; without --channels, --app-key and --history nobody subscribes"
	f.AddFlagSet(pusher)
	f.BoolVar(&to.p.Resume, "history", false, "resume from the last position, at servers that keep history")
	cut = "client"
	f.Var(&choice[string]{&cut, []string{"client", "server"}, []string{"client", "server"}}, "cut", "reset all connections, or wait for the server to end them")
	f.IntVar(&kill, "kill-pid", 0, "end the connections by sending --signal to this `process`")
	f.StringVar(&signal, "signal", "KILL", "`name` of the signal, such as KILL or TERM")
	registerStorm(f, &storm)
	return cmd
}

func registerStorm(f *pflag.FlagSet, storm *loadtest.Storm) {
	duration(f, &storm.Ping, "ping", 0, time.Hour, "ping each connection so often, and count one that answers nothing as cut (Pusher servers: half of their activity timeout)")
	positive(f, &storm.MinBackoff, "backoff", 100*time.Millisecond, time.Hour, "bound of the wait before the first attempt; each failure doubles it")
	positive(f, &storm.MaxBackoff, "backoff-max", 5*time.Second, time.Hour, "largest bound of a wait")
	f.BoolVar(&storm.Herd, "herd", false, "come back at once, without backoff and jitter")
	duration(f, &storm.Before, "before", 2*time.Second, time.Hour, "how long all stand before the cut")
	duration(f, &storm.After, "after", 2*time.Second, time.Hour, "how long to go on when all are back")
	positive(f, &storm.Limit, "limit", time.Minute, 24*time.Hour, "how long to wait for the cut, and then for all to be back")
}

// changed names the flags that were given.
func changed(f *pflag.FlagSet) (names []string) {
	f.VisitAll(func(one *pflag.Flag) {
		if one.Changed {
			names = append(names, "--"+one.Name)
		}
	})
	return names
}

// notAtAll is how a library that takes 0 for its default is told that it is meant.
func notAtAll(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

func sendSignal(pid int, s os.Signal) error {
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Signal(s)
	}
	if err != nil {
		return fmt.Errorf("--kill-pid %d: %w", pid, err)
	}
	return nil
}
