package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/roost-ws/roost/loadtest"
)

func newLoadtestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "loadtest SCENARIO URL",
		Short: "Open many connections to a WebSocket server and measure it",
		Long: `Loadtest opens connections to any WebSocket server, drives them, and says what it measured and what
limited it: connections and messages a second, latency from a histogram, the server's CPU a message and memory a connection (where
it runs on this machine), and why connections failed.

Before the first connection it compares what the run needs with what this machine allows, and prints the commands that mend it.
Ctrl-C ends a run with the report so far. The exit code is 1 when nothing could be opened or measured, all connections were lost, replies were
corrupt or broke the protocol, or find found nothing, 4 when an expectation failed (--expect), and 3 when diff finds a figure worse.`,
		Example: `  roost loadtest idle ws://127.0.0.1:8081/ --conns 15k
  roost loadtest echo ws://127.0.0.1:8081/ --conns 1000 --inflight 16`,
		Args:                       refuseUnknownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(newLoadtestIdleCommand(), newLoadtestEchoCommand(), newLoadtestBroadcastCommand(), newLoadtestChurnCommand(),
		newLoadtestSlowCommand(), newLoadtestFindCommand(),
		newLoadtestPushCommand(), newLoadtestStormCommand(),
		newLoadtestReportCommand(), newLoadtestDiffCommand(), newLoadtestHelperCommand(), newLoadtestAgentCommand())
	for _, c := range cmd.Commands() {
		refuseEmpty(c)
		wrapArgs(c)
	}
	return cmd
}

func newLoadtestIdleCommand() *cobra.Command {
	var (
		shared loadtestFlags
		idle   loadtest.Idle
	)
	cmd := &cobra.Command{
		Use:   "idle URL...",
		Short: "Open connections and hold them: connections a second, bytes a connection",
		Long: `Idle opens connections, answers pings, and holds them. It prints connections a second, handshake latency, and what the server's
memory grew by a connection: user space (its RSS) and the kernel's (slab and socket buffers of this machine) apart.
Memory that the server kept from earlier connections does not grow again: measure a server that has just been started.`,
		Example: `  # as fast as 256 handshakes at a time go, then hold for 10 s
  roost loadtest idle ws://127.0.0.1:8081/ --conns 15k

  # 5,000 a second, more than one address' ports, and an echo over each before all are held
  roost loadtest idle ws://127.0.0.1:8081/ --conns 200k --connect-rate 5k --source-ip 127.0.0.2-127.0.0.60 --verify`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("rate") {
				fmt.Fprintln(cmd.ErrOrStderr(), "roost: --rate of idle is now --connect-rate")
			}
			return shared.run(cmd, args, func(ctx context.Context, o loadtest.Options) (*loadtest.Report, error) {
				idle.Options, idle.Hold = o, notAtAll(idle.Hold)
				return idle.Run(ctx)
			})
		},
	}
	f := cmd.Flags()
	shared.register(f)
	oldRate(f, &shared.rate)
	duration(f, &idle.Hold, "hold", 10*time.Second, 365*24*time.Hour, "how long to hold the connections")
	f.BoolVar(&idle.Verify, "verify", false, "send a message over each connection and want it echoed, before all are held")
	return cmd
}

func newLoadtestEchoCommand() *cobra.Command {
	var (
		shared  loadtestFlags
		message messageFlags
		echo    loadtest.Echo
		rate    int64
	)
	cmd := &cobra.Command{
		Use:   "echo URL...",
		Short: "Measure an echo server: messages a second, round trips, CPU a message",
		Long: `Echo sends messages and wants them back, byte by byte. In the closed model, the default, each connection keeps --inflight messages
under way, and sends the next when a reply comes. With --rate the model is open: messages leave at times fixed beforehand, and latency
counts from then, so that a server that stalls cannot hide it (coordinated omission); the figure without that stands beside it.`,
		Example: `  # how many a second, and what does one cost
  roost loadtest echo ws://127.0.0.1:8081/ --conns 1000 --inflight 1 --size 64

  # latency at a load that is given: 50,000 a second over all connections
  roost loadtest echo ws://127.0.0.1:8081/ --conns 1000 --rate 50k --duration 30s

  # in CI: exit code 4 unless both hold
  roost loadtest echo ws://127.0.0.1:8081/ --rate 10k --expect 'p99<20ms' --expect 'loss==0' --out run.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			echo.Rate = float64(rate)
			all, err := message.messages()
			if err != nil {
				return err
			}
			echo.Message = all
			return shared.run(cmd, args, func(ctx context.Context, o loadtest.Options) (*loadtest.Report, error) {
				echo.Options = o
				return echo.Run(ctx)
			})
		},
	}
	f := cmd.Flags()
	shared.register(f)
	count(f, &echo.InFlight, "inflight", 1, 1, 1<<16, "messages that a connection may have under way")
	size(f, &echo.Size, "size", 64, 1, 8<<20, "bytes of a message")
	message.register(f)
	f.BoolVar(&echo.Text, "text", false, "send text messages instead of binary ones")
	count(f, &rate, "rate", 0, 0, 1e9, "messages a second over all connections, 0 for the closed model")
	positive(f, &echo.Duration, "duration", 10*time.Second, 365*24*time.Hour, "how long to measure")
	duration(f, &echo.Warmup, "warmup", 2*time.Second, time.Hour, "how long to send before measuring")
	return cmd
}

// verdict is the error of a run that measured nothing, or found the server wrong.
func verdict(r *loadtest.Report) error {
	if r.Connections.Opened == 0 && !r.Interrupted {
		return fmt.Errorf("none of %d connections could be opened; see the failures above", r.Connections.Wanted)
	}
	if f := r.Find; f != nil && f.Found == 0 && !r.Interrupted {
		return fmt.Errorf("not even %g held: %s: %s", f.From, f.Ended, f.Why)
	}
	if why := vain(r); why != "" && !r.Interrupted {
		return errors.New(why)
	}
	for _, f := range r.Failures {
		if f.Cause == "corrupt" || f.Cause == "protocol" || f.Cause == "pusher-protocol" {
			return fmt.Errorf("%d connections failed: %s (%s)", f.Count, f.Meaning, f.Example)
		}
	}
	if c := &r.Connections; r.Find == nil && c.Redialled == 0 && c.Lost > 0 && c.Lost == c.Opened && !r.Interrupted {
		return fmt.Errorf("all %d connections were lost before the end; see the failures above", c.Opened)
	}
	return nil
}

// vain says why a run whose connections opened measured nothing; "" if it did.
func vain(r *loadtest.Report) string {
	switch i, e, b, c, w := r.Idle, r.Echo, r.Broadcast, r.Churn, r.Slow; {
	case i != nil && i.Standing == 0:
		return fmt.Sprintf("none of %d connections stood at the end; see the failures above", r.Connections.Opened)
	case e != nil && e.Messages == 0:
		return "no message came back: is it an echo server?"
	case b != nil && b.Deliveries == 0:
		return "no message came back: is it a server that sends each message to all?"
	case b != nil && b.Receivers > 1 && b.Deliveries == b.Messages:
		return "each message came to one connection only: is it an echo server? 'roost echo' sends to all with --broadcast"
	case c != nil && c.Echo != nil && c.Echo.Messages == 0 && c.Echo.Silent > 0:
		return fmt.Sprintf("no message came back in %d lives: is it an echo server?", c.Echo.Silent)
	case w != nil && w.Baseline.Messages == 0:
		return fmt.Sprintf("no message came back, though all read as they could: is the server of the kind that --load %s wants?", w.Workload)
	case w != nil && w.Loaded.Messages == 0:
		return "no message came to those that read while others were slow"
	}
	return vainPush(r)
}

// vainPush is vain for those that publish or cut.
func vainPush(r *loadtest.Report) string {
	switch p, s := r.Push, r.Storm; {
	case p != nil && p.Subscribed == 0:
		return "no subscription was confirmed: is it a Pusher server, and are app key and secret right?"
	case p != nil && p.Published == 0 && p.Unpublished > 0 && len(p.PublishFailures) == 0:
		return fmt.Sprintf("none of the %d events to be measured left in time: publishers still waited for answers to those before; lower --rate, or give more --publishers or --batch", p.Unpublished)
	case p != nil && p.Published == 0:
		return "no event could be published; see the causes above"
	case p != nil && p.Deliveries == 0:
		return fmt.Sprintf("%d events were published, and none came to a subscriber", p.Published)
	case s != nil && s.Events != nil && s.Events.Published > 0 && s.Events.Deliveries == 0:
		return fmt.Sprintf("%d events were published, and none came to a subscriber; see the failures above", s.Events.Published)
	case s != nil && s.Cut == 0:
		return fmt.Sprintf("nothing was cut: none of %d connections ended within --limit; did the server die, and is --kill-pid its process?", r.Connections.Opened)
	}
	return ""
}
