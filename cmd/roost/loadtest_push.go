package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/push"
)

func newLoadtestPushCommand() *cobra.Command {
	var (
		shared loadtestFlags
		to     pusherFlags
		push   loadtest.Push

		readRate int64
	)
	cmd := &cobra.Command{
		Use:   "push URL...",
		Short: "Measure a Pusher server: publish to channels, one-way latency, losses, order",
		Long: `Push subscribes connections to the channels of any server of Pusher Channels protocol 7, and publishes to them at fixed times: over
the HTTP API, or as client events. Each event carries its channel, its number and its time, so the report tells the one-way latency from when it
was to leave, when its first, median and last subscriber had it, and what was lost, came twice or out of order. For a roost serve of this
user on this machine, app id, key and secret are found as roost pub finds them.`,
		Example: `  roost serve &
  roost loadtest push ws://127.0.0.1:8080 --conns 15k --channels 150 --rate 100

  # how many publishes a second does it take?
  roost loadtest push ws://127.0.0.1:8080 --conns 100 --channels 100 --rate 20k --publishers 8 --batch 10

  # another server
  ROOST_APP_SECRET=… roost loadtest push wss://push.example.org --app-id 1 --app-key key --private 50%`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if push.Pusher, err = to.pusher(cmd.Context(), loadtest.SplitURLs(args[0])[0]); err != nil {
				return err
			}
			return shared.run(cmd, args, func(ctx context.Context, o loadtest.Options) (*loadtest.Report, error) {
				push.Options, push.ReadRate = o, float64(readRate)
				return push.Run(ctx)
			})
		},
	}
	f := cmd.Flags()
	shared.register(f)
	to.register(f, 1)
	positive(f, &push.Duration, "duration", 10*time.Second, 24*time.Hour, "how long to measure")
	duration(f, &push.Warmup, "warmup", 2*time.Second, time.Hour, "how long to publish before measuring")
	shareWithin(f, &push.Slow, "slow", 0, 0, 0.9, "share of the connections that read slowly in a second phase, as 1%")
	size(f, &readRate, "read-rate", 0, 0, 1e9, "bytes a second that each of them reads, 0 for none at all")
	return cmd
}

// pusherFlags say how to speak to a Pusher server, and what to publish there.
type pusherFlags struct {
	p       loadtest.Pusher
	rate    int64
	publish string
}

func (t *pusherFlags) register(f *pflag.FlagSet, least int64) {
	f.StringVar(&t.p.AppID, "app-id", "", "app id, if not the local server's")
	f.StringVar(&t.p.Key, "app-key", "", "app key, if not the local server's")
	f.StringVar(&t.p.Secret, "app-secret", "", "app secret, better given as ROOST_APP_SECRET, which other users can't see")
	count(f, &t.p.Channels, "channels", 1, 1, 1<<20, "channels")
	count(f, &t.p.Subscriptions, "subscriptions", 1, 1, 1<<16, "channels that each connection subscribes to")
	share(f, &t.p.Private, "private", 0, "share of the channels that are private")
	share(f, &t.p.Presence, "presence", 0, "share of the channels that are presence channels")
	f.StringVar(&t.p.Prefix, "channel-prefix", "loadtest-", "what names of channels begin with; a tag of the run follows")
	count(f, &t.rate, "rate", 100, least, 1e8, "events a second to publish over all channels")
	size(f, &t.p.Size, "size", 128, loadtest.MinEventSize, 1<<19, "bytes of an event's data")
	f.Float64Var(&t.p.Zipf, "zipf", 0, "choose channels by Zipf's law with this `exponent`, 0 for each in turn")
	t.publish = "http"
	f.Var(&choice[string]{&t.publish, []string{"http", "client"}, []string{"http", "client"}}, "publish", "publish over the HTTP API, or as client events by each channel's first subscriber (all channels are private then)")
	count(f, &t.p.Publishers, "publishers", 4, 1, 1<<12, "HTTP connections that publish")
	count(f, &t.p.Batch, "batch", 1, 1, 1000, "events that are due at the same time and one request may carry")
}

// pusher is what the flags say. Credentials that they leave out are those of the server of this
// user that runs at url on this machine; the flags have them then, for the plan of other processes.
func (t *pusherFlags) pusher(ctx context.Context, url string) (loadtest.Pusher, error) {
	if t.p.Key == "" && partOf(ctx) != nil {
		return t.p, usagef("the leader gives no --app-key: those of this machine's servers are not its to use")
	}
	if t.p.Key == "" {
		addr := strings.Replace(strings.SplitN(url, "/app/", 2)[0], "ws", "http", 1)
		l, err := push.FindLocal(addr)
		if errors.Is(err, push.ErrNoLocal) {
			return t.p, fmt.Errorf("%w (with --app-id, --app-key and --app-secret)", err)
		} else if err != nil {
			return t.p, err
		}
		t.p.AppID, t.p.Key, t.p.Secret = cmp.Or(t.p.AppID, l.AppID), l.Key, cmp.Or(t.p.Secret, l.Secret)
	}
	p := t.p
	p.Rate, p.Client = float64(t.rate), t.publish == "client"
	if p.Secret == "" && p.Signs() {
		return p, usagef("no app secret to --app-key %q: private channels and publishing over HTTP are signed: give ROOST_APP_SECRET or --app-secret too", p.Key)
	}
	return p, nil
}
