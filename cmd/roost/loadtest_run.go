package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/loadtest/scrape"
)

// runScenario runs a scenario with the options that the flags gave.
type runScenario func(context.Context, loadtest.Options) (*loadtest.Report, error)

// run runs the scenario, here or in several processes, and deals with its report. A process
// that is a part of a run does its part only: the report is its leader's.
func (l *loadtestFlags) run(cmd *cobra.Command, urls []string, scenario runScenario) error {
	if err := l.outcome.parse(); err != nil {
		return err
	}
	p := partOf(cmd.Context())
	if p != nil {
		l.sources = append(l.sources, p.sources...)
	}
	o, err := l.options(urls)
	if err != nil {
		return err
	}
	if l.scrape != "" {
		s, err := scrape.New(l.scrape, l.scrapeMatch)
		if err != nil {
			return usageError{err}
		}
		defer s.Close()
		o.Scrape = s.Read
	}
	if p != nil {
		p.seat.Equip(&o)
		p.report, err = scenario(cmd.Context(), o)
		return err
	}
	switch {
	case l.alone != "" && l.procs > 1:
		return usagef("--procs %d: %s runs in one process: %s", l.procs, cmd.Name(), l.alone)
	case l.alone != "" && l.agents.agents > 0:
		return usagef("--agents %d: %s runs in one process: %s", l.agents.agents, cmd.Name(), l.alone)
	case l.agents.agents > 0 && l.procs > 1:
		return usagef("--agents and --procs: start several agents on a machine instead")
	}
	ctx, stop := untilInterrupted(cmd.Context(), cmd.ErrOrStderr())
	defer stop()
	ctx, interrupt := context.WithCancel(ctx)
	defer interrupt()
	live := newLiveView(cmd.ErrOrStderr(), l.quiet, cmd.Name()+" "+strings.Join(urls, " "), interrupt)
	o.Notice, o.Progress = live.notice, live.progress
	var report *loadtest.Report
	switch {
	case l.agents.agents > 0:
		report, err = l.agents.lead(ctx, cmd, o, live.say)
	case l.procs > 1:
		report, err = l.fork(ctx, cmd, o)
	default:
		report, err = scenario(ctx, o)
	}
	live.end()
	if report != nil {
		err = errors.Join(err, l.outcome.write(cmd.OutOrStdout(), report))
	}
	switch {
	case errors.Is(err, loadtest.ErrOptions):
		return usageError{err}
	case err != nil:
		return err
	}
	if err := l.outcome.check(report); err != nil {
		return codedError{err, exitUnexpected}
	}
	return verdict(report)
}
