package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/roost-ws/roost/loadtest"
)

func newLoadtestFindCommand() *cobra.Command {
	var (
		shared    loadtestFlags
		find      loadtest.Find
		from, to  int64
		objective []string
	)
	cmd := &cobra.Command{
		Use:   "find echo|broadcast|idle URL",
		Short: "Find the highest rate, or number of connections, that keeps an objective",
		Long: `Find doubles the load from --from on until a step breaks --objective, and then halves the interval until it is known to
--precision percent. The load is messages a second (echo in the open model, broadcast) or connections that stand (idle). Each step is warmed up and
measured apart, on the same connections as far as they last. A step fails too when its load is not reached, or connections fail that
no objective speaks of. It prints every step and what ended the search: the objective, failures, or the harness itself.
The exit code is 1 when not even --from holds.`,
		Example: `  roost loadtest find echo ws://127.0.0.1:8081/ --conns 1k --objective 'p99<10ms' --from 1k --to 1m
  roost loadtest find idle ws://127.0.0.1:8081/ --objective 'handshake-p99<1s' --from 1k --to 1m --source-ip 127.0.0.2-127.0.0.60`,
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"echo", "broadcast", "idle"},
		RunE: func(cmd *cobra.Command, args []string) error {
			find.Scenario, find.From, find.To, find.Objective = args[0], float64(from), float64(to), nil
			for _, text := range objective {
				e, err := loadtest.ParseExpectation(text)
				if err != nil {
					return usageError{fmt.Errorf("--objective: %w", err)}
				}
				find.Objective = append(find.Objective, e)
			}
			return shared.run(cmd, args[1:], func(ctx context.Context, o loadtest.Options) (*loadtest.Report, error) {
				find.Options = o
				return find.Run(ctx)
			})
		},
	}
	shared.alone = "what to try next is not known from parts; --loops uses more cores"
	f := cmd.Flags()
	shared.register(f)
	for _, name := range append([]string{"procs"}, agentsFlags...) {
		f.Lookup(name).Hidden = true // refused
	}
	f.StringArrayVar(&objective, "objective", nil, "what every step has to keep, a `figure op value` as 'p99<10ms' (repeatable, required)")
	count(f, &from, "from", 1000, 1, 1e9, "the first load")
	count(f, &to, "to", 1e6, 1, 1e9, "the highest load to try")
	shareWithin(f, &find.Precision, "precision", 0.05, 0.001, 0.5, "by how much the result may be too low, as 5%")
	count(f, &find.InFlight, "inflight", 16, 1, 1<<16, "of an echo: messages that a connection may have under way")
	size(f, &find.Size, "size", 64, 1, 8<<20, "bytes of a message")
	f.BoolVar(&find.Text, "text", false, "send text messages instead of binary ones")
	positive(f, &find.Duration, "duration", 5*time.Second, time.Hour, "how long to measure each step, or to hold its connections")
	duration(f, &find.Warmup, "warmup", time.Second, time.Hour, "how long to send before measuring each step")
	return cmd
}
