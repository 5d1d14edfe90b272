package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roost-ws/roost/loadtest"
)

func newLoadtestReportCommand() *cobra.Command {
	var o outcomeFlags
	cmd := &cobra.Command{
		Use:   "report FILE",
		Short: "Show a report that a run wrote with --out",
		Long: `Report reads the JSON that a run wrote with --out, and prints it as the run did. With --csv and --html it
writes other files of it, and with --expect it judges it, without measuring again.`,
		Example: `  roost loadtest report run.json --html run.html --expect 'p99<20ms'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.parse(); err != nil {
				return err
			}
			r, err := readReport(args[0])
			if err != nil {
				return err
			}
			if err := o.write(cmd.OutOrStdout(), r); err != nil {
				return err
			}
			if err := o.check(r); err != nil {
				return codedError{err, exitUnexpected}
			}
			return nil
		},
	}
	o.register(cmd.Flags())
	return cmd
}

func newLoadtestDiffCommand() *cobra.Command {
	var (
		worse int64
		html  string
	)
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Compare two reports",
		Long: `Diff compares the figures that two reports have, which runs wrote with --out. It exits with 3 when one of AFTER is worse
by more than --worse percent: rates, p50, p99, losses, errors, the server's CPU a message and memory a connection. Extremes such as p99.9 and max are
shown and do not count, because they differ between equal runs.`,
		Example: `  roost loadtest diff main.json branch.json --worse 5 --html diff.html`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			before, err := readReport(args[0])
			if err != nil {
				return err
			}
			after, err := readReport(args[1])
			if err != nil {
				return err
			}
			if before.Scenario != after.Scenario {
				return usagef("%s is of scenario %s and %s of %s: only runs of one scenario compare", args[0], before.Scenario, args[1], after.Scenario)
			}
			changes := loadtest.Diff(before, after, float64(worse)/100)
			page := func(w io.Writer) error { return loadtest.WriteDiffHTML(w, before, after, changes) }
			names := worsened(changes)
			table := func(w io.Writer) error {
				err := loadtest.WriteDiff(w, changes)
				if len(names) == 0 {
					fmt.Fprintf(w, "nothing that counts is worse by more than %d %%\n", worse)
				}
				return err
			}
			if html == "-" {
				table = page
			}
			if err := errors.Join(table(cmd.OutOrStdout()), toFile(html, page)); err != nil {
				return err
			}
			if len(names) > 0 {
				return codedError{fmt.Errorf("worse by more than %d %%: %s", worse, strings.Join(names, ", ")), exitWorse}
			}
			return nil
		},
	}
	count(cmd.Flags(), &worse, "worse", 10, 0, 1e6, "percent by which a figure may be worse")
	cmd.Flags().StringVar(&html, "html", "", "write both reports' charts, laid over each other, to this `file`")
	return cmd
}

func worsened(changes []loadtest.Change) (names []string) {
	for _, c := range changes {
		if c.Worse {
			names = append(names, c.After.Name)
		}
	}
	return names
}

func readReport(name string) (*loadtest.Report, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, usageError{err}
	}
	defer file.Close()
	r, err := loadtest.ReadReport(file)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", name, err)}
	}
	return r, nil
}
