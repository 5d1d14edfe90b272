package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/roost-ws/roost/internal/doctor"
	"github.com/spf13/cobra"
)

func newDoctorCommand() *cobra.Command {
	var (
		o      doctor.Options
		within int64
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine for a number of connections, and say what they need",
		Long: `Doctor prints what a number of connections needs of any machine (memory, descriptors, clients' addresses, cores), compares
this machine with it, and prints the commands that mend what is in the way. It changes nothing. The exit code is 1 when the
connections do not fit.

What a connection costs was measured with roost echo on Linux, small messages, no TLS unless --tls.`,
		Example: `  roost doctor --conns 15k
  roost doctor --conns 1m --processes 52          # where a process may not open so many
  roost doctor --conns 10m --seconds 1            # and a message to all within a second
  roost doctor --conns 100k --client --json       # this machine opens the connections`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Within = time.Duration(within) * time.Second
			r, err := doctor.Examine(doctor.ReadMachine(), o)
			if err != nil {
				return err
			}
			if err := printDiagnosis(cmd, r, asJSON); err != nil {
				return err
			}
			return diagnosis(r)
		},
	}
	f := cmd.Flags()
	count(f, &o.Conns, "conns", 10_000, 1, 1<<30, "connections that the machine shall hold")
	count(f, &within, "seconds", int64(doctor.DefaultWithin/time.Second), 1, 3600, "seconds in which a message shall reach all of them")
	duration(f, &o.Heartbeat, "ping-interval", doctor.DefaultHeartbeat, 30*24*time.Hour, "time between two pings to a connection, 0 for none")
	count(f, &o.Processes, "processes", 1, 1, 1<<16, "processes that share the connections (--reuseport)")
	f.BoolVar(&o.TLS, "tls", false, "connections are encrypted")
	f.BoolVar(&o.Client, "client", false, "this machine opens the connections, as roost loadtest does")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

func printDiagnosis(cmd *cobra.Command, r *doctor.Report, asJSON bool) error {
	w := cmd.OutOrStdout()
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.WriteText(w, isTerminal(w) && os.Getenv("NO_COLOR") == "")
}

func diagnosis(r *doctor.Report) error {
	if r.Fits {
		return nil
	}
	var failed []string
	for _, c := range r.Checks {
		if c.Status == doctor.Fail {
			failed = append(failed, c.Name)
		}
	}
	return fmt.Errorf("%d connections do not fit on this machine: %s", r.Conns, strings.Join(failed, ", "))
}
