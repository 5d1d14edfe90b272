package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/spf13/cobra"
)

// refuseEmpty keeps a server from making up what somebody meant to give it.
func (s *serveCommand) refuseEmpty() error {
	for name, value := range map[string]string{"key": s.push.App.Key, "secret": s.push.App.Secret, "token": s.push.Token} {
		text, set := os.LookupEnv(envName(name))
		if made := value == "" && (name == "token" || s.lists.apps == ""); made && set && text == "" {
			return usagef("%s is set, and empty: give it a value, or unset it to have one made up at each start", envName(name))
		}
	}
	return nil
}

// doubts are the settings that are taken but can't all hold: they are said at the
// start, and by --check-config.
func (s *serveCommand) doubts(root *cobra.Command) []string {
	all := unknownVariables(root, os.Environ())
	if o := s.push; o.DrainRate == 0 && s.life.grace <= o.DrainDelay+o.DrainWindow {
		all = append(all, fmt.Sprintf("--shutdown-timeout (%v) is not longer than --drain-delay (%v) and --drain-window (%v) together: a stop sends clients away faster, or cuts them off", s.life.grace, o.DrainDelay, o.DrainWindow))
	}
	if s.bus.bus == "memory" {
		return all
	}
	for _, a := range append([]push.App{s.push.App}, s.push.Apps...) {
		for _, p := range a.Channels {
			if h := p.History; h.Count > s.bus.nats.Count || h.Age > s.bus.nats.Age {
				all = append(all, fmt.Sprintf("app %s: history of %q is %d events and %v, but the bus keeps %d and %v: raise --bus-history and --bus-history-age", a.ID, p.Match, h.Count, h.Age, s.bus.nats.Count, s.bus.nats.Age))
			}
		}
	}
	return all
}

// ofService are the variables that Kubernetes sets for a service called roost.
var ofService = regexp.MustCompile(`^ROOST_(.+_)?(SERVICE_(HOST|PORT.*)|PORT(_.*)?)$`)

// unknownVariables finds those that no command reads.
func unknownVariables(root *cobra.Command, environ []string) (all []string) {
	flags := map[string]bool{"config": true, flagName(handoverEnv): true}
	addFlagNames(root, flags)
	known := make(map[string]bool)
	for name := range flags {
		known[envName(name)] = true
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || known[name] || ofService.MatchString(name) {
			continue
		}
		hint := nearest(flagName(name), slices.Sorted(maps.Keys(flags)))
		if hint != "" {
			hint = "; did you mean " + envName(hint) + "?"
		}
		all = append(all, name+" is no setting of any command, and ignored"+hint)
	}
	return all
}

// foresee warns of a drain that can't tell everybody in time.
func (p *pushServer) foresee(ctx context.Context) {
	end, bounded := ctx.Deadline()
	o, conns := p.command.push, p.conns()
	if o.DrainRate == 0 || !bounded {
		return
	}
	left := max(0, time.Until(end)-o.DrainDelay)
	if reached := int(left.Seconds() * float64(o.DrainRate)); reached < conns {
		o.Logger.Warn("--drain-rate is too slow for --shutdown-timeout: whoever is not told by then is closed with 1001; raise either",
			"drain-rate", o.DrainRate, "shutdown-timeout", p.command.life.grace, "connections", conns, "told", reached)
	}
}
