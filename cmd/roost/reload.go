package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/roost-ws/roost/push"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// reloadable are the flags that count again at a SIGHUP. The others need a new
// process; files of certificates count by themselves.
var reloadable = []string{
	"apps", "channels", "webhooks", "app-id", "key", "secret", "client-events", "subscription-counts",
	"max-data", "max-channels", "max-members", "message-rate", "message-burst", "client-event-rate",
}

// reload reads the settings again, from the file, the environment and the command
// line as at the start. All of them are checked before any counts.
func (p *pushServer) reload(log *slog.Logger) error {
	fresh, flags, err := reread()
	if err != nil {
		return err
	}
	before := p.command.push.App
	if err := fresh.complete(kept{Key: before.Key, Secret: before.Secret}); err != nil {
		return err
	}
	if err := errors.Join(checkAddr(fresh.listen.Addr), fresh.tls.check()); err != nil {
		return err
	}
	if err := p.push.UpdateApps(append([]push.App{fresh.push.App}, fresh.push.Apps...), fresh.push.Limits); err != nil {
		return err
	}
	changed, waiting := p.compare(flags)
	log.Info("settings read again", "changed", changed)
	if len(waiting) > 0 {
		log.Warn("these settings have changed and need a new process: send SIGUSR2", "settings", waiting)
	}
	p.command.push.App = fresh.push.App
	if a := fresh.push.App; a.ID != before.ID || a.Key != before.Key || a.Secret != before.Secret {
		p.leaveCredentials(log)
	}
	return nil
}

// reread parses this process's command line once more, and runs nothing.
func reread() (*serveCommand, *pflag.FlagSet, error) {
	root := newRootCommand()
	for _, c := range root.Commands() {
		if c.Name() == "serve" {
			root.RemoveCommand(c)
		}
	}
	cmd, fresh := newServe()
	cmd.RunE = func(*cobra.Command, []string) error { return nil }
	root.AddCommand(cmd)
	root.SetArgs(os.Args[1:])
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	return fresh, cmd.Flags(), root.Execute()
}

// compare returns the names of flags that differ from those in use: which count from
// now on, and which do not before there is a new process.
func (p *pushServer) compare(with *pflag.FlagSet) (changed, waiting []string) {
	with.VisitAll(func(f *pflag.Flag) {
		switch text := f.Value.String(); {
		case p.settings[f.Name] == text:
		case slices.Contains(reloadable, f.Name):
			changed = append(changed, f.Name)
			p.settings[f.Name] = text
		default:
			waiting = append(waiting, f.Name)
		}
	})
	return changed, waiting
}

// texts are the values of flags by name.
func texts(f *pflag.FlagSet) map[string]string {
	all := make(map[string]string)
	f.VisitAll(func(f *pflag.Flag) { all[f.Name] = f.Value.String() })
	return all
}
