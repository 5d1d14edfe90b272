package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/roost-ws/roost/push/client"
	"github.com/roost-ws/roost/push/protocol"
	"github.com/spf13/cobra"
)

func newSubCommand() *cobra.Command {
	var from target
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sub CHANNEL...",
		Short: "Print the events of channels as they come",
		Long: `Subscribe to channels of a push server, by default the one that runs on this
machine, and print every event on a line of its own until interrupted. A lost
connection is made again; what was published meanwhile is printed first where the
server keeps the channel's history, and else lost.`,
		Example: `  roost sub news
  roost sub news private-orders --json | jq .data
  roost sub presence-room --user-id ann
  roost sub news --addr https://push.example.org --key key`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, channels []string) error {
			if i := slices.IndexFunc(channels, protocol.NeedsAuth); i >= 0 && from.key != "" && from.secret == "" {
				return usagef("--key %q: a subscription to %s is signed: give ROOST_SECRET too", from.key, channels[i])
			}
			if i := slices.IndexFunc(channels, protocol.IsPresence); i >= 0 && user == "" {
				return usagef("%s shows its members who is there: say who you are by --user-id", channels[i])
			}
			if user != "" {
				if err := protocol.CheckUserID(user); err != nil {
					return usagef("--user-id: %w", err)
				}
			}
			c, err := from.client()
			if err != nil {
				return err
			}
			log, err := newLogger(cmd)
			if err != nil {
				return err
			}
			return subscribe(cmd, c, client.Subscription{Channels: channels, UserID: user}, asJSON, log)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object for each event")
	cmd.Flags().StringVar(&user, "user-id", "", "who presence channels say you are, an `id` of your choice; required for them")
	from.register(cmd.Flags())
	return cmd
}

func subscribe(cmd *cobra.Command, c *client.Client, s client.Subscription, asJSON bool, log *slog.Logger) error {
	interrupted, stop := untilInterrupted(cmd.Context(), cmd.ErrOrStderr())
	defer stop()
	ctx, fail := context.WithCancelCause(interrupted)
	defer fail(nil)
	s.Message = func(m client.Message) {
		if err := printMessage(cmd.OutOrStdout(), m, asJSON); err != nil {
			fail(err)
		}
	}
	s.Missed = func(channel string) { log.Warn("events were missed that no history has any more", "channel", channel) }
	s.Subscribed = func(channel string) { log.Info("subscribed", "channel", channel) }
	s.Disconnected = func(err error, wait time.Duration) { log.Warn("connection lost", "err", err, "retry_in", wait) }
	err := c.Subscribe(ctx, s)
	if interrupted.Err() != nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func printMessage(w io.Writer, m client.Message, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			Channel  string           `json:"channel"`
			Event    string           `json:"event"`
			Data     string           `json:"data"`
			Position *client.Position `json:"position,omitempty"`
		}{m.Channel, m.Event, m.Data, m.Position})
	}
	_, err := fmt.Fprintf(w, "%s %s %s\n", m.Channel, printable(m.Event), printable(m.Data))
	return err
}

// printable quotes text that would break the line or speak to the terminal.
func printable(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return strconv.Quote(s)
	}
	return s
}
