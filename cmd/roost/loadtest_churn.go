package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roost-ws/roost/loadtest"
)

func newLoadtestChurnCommand() *cobra.Command {
	var (
		shared  loadtestFlags
		message messageFlags
		churn   loadtest.Churn
	)
	cmd := &cobra.Command{
		Use:   "churn URL...",
		Short: "Keep connections open that live a random time: connects a second, handshakes, closes, leaks",
		Long: `Churn keeps --conns connections open. Each lives a random time, --lifetime on average, ends by a close handshake or, as --abort says, by a
reset, and its place is dialled anew. It prints connections a second, how long handshakes and closes take, what failed, and what the
server holds (memory, descriptors) before the first connection, with all open, after the churn, and when the last one has gone.`,
		Example: `  # 1,000 users who stay for 2 s, a tenth of whom vanish; each says one thing
  roost loadtest churn ws://127.0.0.1:8081/ --conns 1k --lifetime 2s --abort 10% --echo

  # in CI: whatever comes and goes, all is given back
  roost loadtest churn ws://127.0.0.1:8081/ --lifetime 500ms --expect 'leaked-descriptors==0' --expect 'errors==0'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := message.messages()
			if err != nil {
				return err
			}
			churn.Message = all
			churn.Echo = churn.Echo || all != nil
			return shared.run(cmd, args, func(ctx context.Context, o loadtest.Options) (*loadtest.Report, error) {
				churn.Options = o
				return churn.Run(ctx)
			})
		},
	}
	f := cmd.Flags()
	shared.register(f)
	positive(f, &churn.Lifetime, "lifetime", 10*time.Second, 365*24*time.Hour, "how long a connection lives on average; the distribution is exponential")
	share(f, &churn.Abort, "abort", 0, "share of lives that end with an RST, as 10%")
	f.BoolVar(&churn.Echo, "echo", false, "send one message a life, and want it echoed; so does --message")
	size(f, &churn.Size, "size", 64, 1, 8<<20, "bytes of that message")
	message.register(f)
	f.BoolVar(&churn.Text, "text", false, "send text messages instead of binary ones")
	positive(f, &churn.Duration, "duration", 10*time.Second, 365*24*time.Hour, "how long to measure")
	duration(f, &churn.Warmup, "warmup", 2*time.Second, time.Hour, "how long to churn before measuring")
	return cmd
}

// part is a flag for a share between two limits, written in percent.
type part struct {
	at       *float64
	min, max float64
}

func share(f *pflag.FlagSet, at *float64, name string, def float64, usage string) {
	shareWithin(f, at, name, def, 0, 1, usage)
}

func shareWithin(f *pflag.FlagSet, at *float64, name string, def, min, max float64, usage string) {
	*at = def
	f.Var(&part{at, min, max}, name, usage)
}

func (p *part) Type() string { return "percent" }

func (p *part) String() string { return percent(*p.at) }

func percent(x float64) string { return strconv.FormatFloat(x*100, 'f', -1, 64) + "%" }

func (p *part) Set(s string) error {
	digits, ok := strings.CutSuffix(strings.TrimSpace(s), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil || !ok && x != 0 {
		return fmt.Errorf("not a share; write it like 1%% or 0.5%%")
	}
	if x /= 100; !(x >= p.min && x <= p.max) {
		return fmt.Errorf("out of range, give %s to %s", percent(p.min), percent(p.max))
	}
	*p.at = x
	return nil
}
