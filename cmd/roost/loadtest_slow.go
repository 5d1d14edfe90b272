package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/roost-ws/roost/loadtest"
)

func newLoadtestSlowCommand() *cobra.Command {
	var (
		shared         loadtestFlags
		slow           loadtest.Slow
		rate, readRate int64
		load           string
	)
	cmd := &cobra.Command{
		Use:   "slow URL...",
		Short: "Measure what clients that read slowly do to the others",
		Long: `Slow puts the same load on the same connections twice: first all read as they can, then --slow percent of them read at --read-rate
bytes a second only, with small receive buffers. It prints the latency of the others without and with them, their ratio, how
many of the slow ones the server disconnected and how, and how many messages they missed.

The load is a broadcast (one connection sends, the server sends to all), or with --load echo an echo over each connection.`,
		Example: `  roost echo --broadcast --addr 127.0.0.1:8081 &
  roost loadtest slow ws://127.0.0.1:8081/ --conns 1k --slow 5% --rate 50 --size 4KiB

  # in CI: nine that read do not wait for one that does not
  roost loadtest slow ws://127.0.0.1:8081/ --slow 10% --expect 'fast-p99-ratio<2' --expect 'loss==0'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			slow.Rate, slow.ReadRate, slow.Echo = float64(rate), float64(readRate), load == "echo"
			return shared.run(cmd, args, func(ctx context.Context, o loadtest.Options) (*loadtest.Report, error) {
				slow.Options = o
				return slow.Run(ctx)
			})
		},
	}
	f := cmd.Flags()
	shared.register(f)
	load = "broadcast"
	words := []string{"broadcast", "echo"}
	f.Var(&choice[string]{&load, words, words}, "load", "what the connections do")
	shareWithin(f, &slow.Share, "slow", 0.01, 0.0001, 0.9, "share of the connections that read slowly, as 5%")
	size(f, &readRate, "read-rate", 0, 0, 1e9, "bytes a second that each of them reads, 0 for none at all")
	count(f, &rate, "rate", 0, 0, 1e9, "messages a second, of the sender or of all that echo; 0 for 100 and 1,000")
	size(f, &slow.Size, "size", 1024, 1, 8<<20, "bytes of a message")
	f.BoolVar(&slow.Text, "text", false, "send text messages instead of binary ones")
	positive(f, &slow.Duration, "duration", 10*time.Second, 365*24*time.Hour, "how long to measure each of the two phases")
	duration(f, &slow.Warmup, "warmup", 2*time.Second, time.Hour, "how long to send before measuring each; buffers fill meanwhile")
	return cmd
}
