package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/loadtest/team"
)

// fork has helpers do the run.
func (l *loadtestFlags) fork(ctx context.Context, cmd *cobra.Command, o loadtest.Options) (*loadtest.Report, error) {
	if l.procs > l.conns {
		return nil, usagef("--procs %d: there are only %d connections; each process needs one", l.procs, l.conns)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	members, end, err := team.Fork(l.procs, func() *exec.Cmd { return exec.Command(self, "loadtest", helperName) })
	if err != nil {
		return nil, err
	}
	defer end()
	leader := team.Leader{Args: planArgs(cmd), SameMachine: true, Notice: o.Notice, Progress: o.Progress}
	return leader.Lead(ctx, members)
}

// leadersFlags are those that only the process which prints the report has use of.
var leadersFlags = []string{"config", "help", "log-format", "log-level", "json", "out", "csv", "html", "expect", "quiet", "procs"}

// planArgs is the scenario's command line with every setting that was made, wherever it was, so
// that it means the same in another process. What was left alone stays so: some commands ask.
func planArgs(cmd *cobra.Command) []string {
	args := append([]string{cmd.Name()}, cmd.Flags().Args()...)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		made := f.Changed || f.Value.String() != f.DefValue // by another name of it, or by the command itself
		if !made || f.Hidden || slices.Contains(leadersFlags, f.Name) || slices.Contains(agentsFlags, f.Name) {
			return
		}
		values := []string{f.Value.String()}
		if s, ok := f.Value.(pflag.SliceValue); ok {
			values = s.GetSlice()
		}
		for _, v := range values {
			if v != "" {
				args = append(args, "--"+f.Name+"="+v)
			}
		}
	})
	return args
}

// teamPart is a process's share of a run that another leads.
type teamPart struct {
	seat    *team.Seat
	foreign bool     // its leader is on another machine
	sources []string // of this machine, when foreign
	report  *loadtest.Report
}

type partKey struct{}

// partOf is nil in a process that runs for itself.
func partOf(ctx context.Context) *teamPart {
	p, _ := ctx.Value(partKey{}).(*teamPart)
	return p
}

// check refuses what a leader on another machine may not ask for.
func (p *teamPart) check(flags *pflag.FlagSet) (err error) {
	if !p.foreign {
		return nil
	}
	flags.VisitAll(func(f *pflag.Flag) {
		_, machine := machineFlags[f.Name]
		if (machine || slices.Contains(leadersFlags, f.Name)) && f.Value.String() != f.DefValue {
			err = fmt.Errorf("the leader asks for --%s=%s: an agent takes nothing from a leader that names its own machine's files, processes or addresses", f.Name, f.Value)
		}
	})
	return err
}

// do runs a plan's command line in this process.
func (p *teamPart) do(ctx context.Context, plan team.Plan, stderr io.Writer) (*loadtest.Report, error) {
	root := newRootCommand()
	root.SetArgs(append([]string{"loadtest"}, plan.Args...))
	root.SetOut(io.Discard)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.WithValue(ctx, partKey{}, p))
	return p.report, err
}

const helperName = "helper"

func newLoadtestHelperCommand() *cobra.Command {
	return &cobra.Command{
		Use:    helperName,
		Short:  "Do a part of a run (started by loadtest --procs)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signal.Ignore(os.Interrupt) // the leader hears it, and says when to end
			link := team.Pipes(os.Stdin, os.Stdout)
			return team.Follow(cmd.Context(), link, func(ctx context.Context, p team.Plan, s *team.Seat) (*loadtest.Report, error) {
				return (&teamPart{seat: s}).do(ctx, p, cmd.ErrOrStderr())
			})
		},
	}
}
