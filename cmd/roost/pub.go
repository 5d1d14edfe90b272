package main

import (
	"github.com/roost-ws/roost/push/client"
	"github.com/spf13/cobra"
)

func newPubCommand() *cobra.Command {
	var to target
	var event string
	cmd := &cobra.Command{
		Use:   "pub CHANNEL DATA",
		Short: "Publish one event to a channel",
		Long: `Publish one event to a channel of a push server, by default the one that runs
on this machine, and return when the server has taken it.`,
		Example: `  roost pub news '{"headline":"hello"}'
  roost pub news hello --event greeting
  ROOST_SECRET=… roost pub news hello --addr https://push.example.org --app-id app --key key`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to.key != "" && (to.appID == "" || to.secret == "") {
				return usagef("--key %q: publishing is signed: give the app's --app-id and ROOST_SECRET too", to.key)
			}
			c, err := to.client()
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd.Context(), cmd.ErrOrStderr())
			defer stop()
			return c.Publish(ctx, client.Event{Channels: args[:1], Name: event, Data: args[1]})
		},
	}
	cmd.Flags().StringVar(&event, "event", "message", "name of the event")
	to.register(cmd.Flags())
	return cmd
}
