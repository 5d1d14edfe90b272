package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// run executes one command line and returns the exit code of the process.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	if err == nil {
		return 0
	}
	refuseHandover(err)
	code := exitCode(err)
	if logsJSON(cmd) {
		if log, unknown := newLogger(cmd); unknown == nil {
			log.Error(err.Error())
			return code
		}
	}
	fmt.Fprintf(stderr, "roost: %v\n", err)
	if code == exitUsage {
		fmt.Fprintf(stderr, "Usage: %s\nRun '%s --help' for more.\n", cmd.UseLine(), cmd.CommandPath())
	}
	return code
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "roost",
		Short: "Hold a million WebSocket connections on one machine",
		Long: `Roost holds WebSocket connections by the million and wakes only for those that speak.

Every long flag is also an environment variable (--max-conns is ROOST_MAX_CONNS)
and a key of the YAML file given with --config (max-conns: 10k).
A flag wins over the environment, the environment over the file.`,
		Example: `  roost serve                              # a push server on 127.0.0.1:8080
  roost sub news &                         # listen to a channel of it
  roost pub news '{"headline":"hello"}'    # and publish to that channel
  roost echo --addr 127.0.0.1:8081         # an echo server, for benchmarks`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          refuseUnknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if p := partOf(cmd.Context()); p != nil {
				return p.check(cmd.Flags()) // its settings are the plan's, not this machine's
			}
			return applySettings(cmd)
		},
		SuggestionsMinimumDistance: 2,
	}
	root.PersistentFlags().String("config", "", "read settings from this YAML `file`")
	registerLogFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{flagError(cmd, err)} })
	root.AddCommand(
		newServeCommand(),
		newEchoCommand(),
		newLoadtestCommand(),
		newPubCommand(),
		newSubCommand(),
		newDoctorCommand(),
		newHealthcheckCommand(),
		newVersionCommand(),
	)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args = refuseUnknownShell
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		wrapArgs(c)
	}
	return root
}

// flagError says which flag was refused, the value, and what it may be.
func flagError(cmd *cobra.Command, err error) error {
	invalid := (*pflag.InvalidValueError)(nil)
	if !errors.As(err, &invalid) {
		return unknownFlag(cmd, err)
	}
	f := invalid.GetFlag()
	return refused("--"+f.Name, invalid.GetValue(), f, invalid.Unwrap())
}

// refused words the refusal of a value that came from where: a flag, the
// environment or a file.
func refused(where, value string, f *pflag.Flag, cause error) error {
	_, usage := pflag.UnquoteUsage(f)
	return fmt.Errorf("%s %q: %w (%s)", where, value, cause, usage)
}

func refuseUnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	near := cmd.SuggestionsFor(args[0])
	if len(near) == 0 {
		return usagef("no command %q", args[0])
	}
	return usagef("no command %q; did you mean %s?", args[0], strings.Join(near, " or "))
}

func refuseUnknownShell(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var shells []string
	for _, c := range cmd.Commands() {
		shells = append(shells, c.Name())
	}
	return usagef("no shell %q; give %s", args[0], strings.Join(shells, ", "))
}

// wrapArgs makes a refusal of cmd's positional arguments a usage error.
func wrapArgs(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{miscounted(cmd, args, err)}
		}
		return nil
	}
}

// miscounted names what cobra only counts: the argument that is missing or too much.
func miscounted(cmd *cobra.Command, args []string, err error) error {
	wanted := strings.Fields(cmd.Use)[1:]
	switch {
	case !strings.Contains(err.Error(), "arg(s)"):
		return err
	case len(args) < len(wanted):
		return fmt.Errorf("%s: %s is missing", cmd.Name(), strings.TrimSuffix(wanted[len(args)], "..."))
	case len(args) > len(wanted):
		return fmt.Errorf("%s: %q is too much after %s; quote what has spaces", cmd.Name(), args[len(wanted)], strings.Join(wanted, " "))
	}
	return err
}
