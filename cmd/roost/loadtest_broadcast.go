package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/roost-ws/roost/loadtest"
)

func newLoadtestBroadcastCommand() *cobra.Command {
	var (
		shared    loadtestFlags
		message   messageFlags
		broadcast loadtest.Broadcast
		rate      int64
	)
	cmd := &cobra.Command{
		Use:   "broadcast URL",
		Short: "Measure a server that sends each message to all connections",
		Long: `Broadcast sends messages over one connection, at fixed times, to a server that sends each to all connections. It prints when the
first, the median and the last receiver had a message, and how many were lost, came twice or out of order.`,
		Example: `  roost echo --broadcast --addr 127.0.0.1:8081 &
  roost loadtest broadcast ws://127.0.0.1:8081/ --conns 10k --rate 5`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			broadcast.Rate = float64(rate)
			all, err := message.messages()
			if err != nil {
				return err
			}
			broadcast.Message = all
			return shared.run(cmd, args, func(ctx context.Context, o loadtest.Options) (*loadtest.Report, error) {
				broadcast.Options = o
				return broadcast.Run(ctx)
			})
		},
	}
	f := cmd.Flags()
	shared.register(f)
	count(f, &rate, "rate", 10, 1, 1e6, "messages a second")
	size(f, &broadcast.Size, "size", 64, 1, 8<<20, "bytes of a message")
	message.register(f)
	f.BoolVar(&broadcast.Text, "text", false, "send text messages instead of binary ones")
	positive(f, &broadcast.Duration, "duration", 10*time.Second, 365*24*time.Hour, "how long to measure")
	duration(f, &broadcast.Warmup, "warmup", 2*time.Second, time.Hour, "how long to send before measuring")
	return cmd
}
