package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// noArgs refuses arguments of a command that takes flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := nearest(args[0], flagNames(cmd.Flags())); near != "" {
		hint = "; did you mean --" + near + "?"
	}
	return usagef("%q: %s takes flags and nothing else%s", args[0], cmd.CommandPath(), hint)
}

// unknownFlag adds the flag that was probably meant.
func unknownFlag(cmd *cobra.Command, err error) error {
	missing := (*pflag.NotExistError)(nil)
	if !errors.As(err, &missing) {
		return err
	}
	if near := nearest(missing.GetSpecifiedName(), flagNames(cmd.Flags())); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return err
}

// nearest is the name that differs least, by two letters and less than half of
// them; "" when there is none.
func nearest(name string, names []string) string {
	name = strings.TrimLeft(name, "-")
	best, least := "", 3
	for _, n := range names {
		if d := edits(name, n); d < least && 2*d < len(name) {
			best, least = n, d
		}
	}
	return best
}

func flagNames(f *pflag.FlagSet) (names []string) {
	f.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// edits is how many letters must be added, left out or exchanged to make b of a
// (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			change := before[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, before[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
