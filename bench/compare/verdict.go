package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roost-ws/roost/bench/internal/lab"
)

func (r *Settings) markdown() string {
	var md strings.Builder
	md.WriteString("# Roost with other flags\n\n")
	fmt.Fprintf(&md, "%s; %s; %s; Roost %s.\n\nEach beside a run of its own of Roost without the flags, right before or after it: the median of the rounds' "+
		"ratios, and the least and the greatest. *None* is Roost beside itself: what chance makes. **Bold** is an effect: the range leaves out 1, "+
		"and the median is outside the range of *none* at the same work; all else is nothing. Idle works run once and have no verdict. "+
		"CPU is the server's, a message, delivery or connection; bytes are its own memory, an idle connection.\n\n",
		r.Date, r.Machine, r.Setup, r.Revision)
	lab.Head(&md, "flags", "work", "CPU", "p99", "bytes")
	for _, t := range r.Trials {
		what := t.Work
		if t.Base != "" {
			what += " against " + t.Base
		}
		if t.Cores != "" {
			what += ", cores " + t.Cores
		}
		flags := "–"
		switch {
		case t.Flags != "":
			flags = "`" + t.Flags + "`"
		case t.Base == "":
			flags = "*none*"
		}
		lab.Row(&md, flags, what, r.cell(t, cpu), r.cell(t, p99), r.cell(t, bytesEach))
	}
	for _, t := range r.Trials {
		for _, s := range append(slices.Clone(t.With), t.Plain...) {
			if s.Error != "" {
				fmt.Fprintf(&md, "\nFailed: `%s`, %s, round %d: `%s`\n", t.Flags, t.Work, s.Round+1, strings.Join(strings.Fields(s.Error), " "))
			}
		}
	}
	return md.String()
}

// cell is "median (least–greatest)" of t's ratios, bold if it is an effect.
func (r *Settings) cell(t *trial, value func(Sample) float64) string {
	list := t.ratios(value)
	m, ok := lab.Median(list)
	if !ok {
		return "–"
	}
	text := fmt.Sprintf("%.2f × (%.2f–%.2f)", m, slices.Min(list), slices.Max(list))
	i := slices.IndexFunc(r.Trials, func(c *trial) bool { return c.setting == t.plain() })
	if i >= 0 && effect(list, r.Trials[i].ratios(value)) {
		text = "**" + text + "**"
	}
	return text
}

// effect tells whether ratios are more than chance, of which control are some.
func effect(ratios, control []float64) bool {
	if min(len(ratios), len(control)) < leastRounds {
		return false
	}
	m, _ := lab.Median(ratios)
	return (slices.Min(ratios) > 1 || slices.Max(ratios) < 1) && (m < slices.Min(control) || m > slices.Max(control))
}

// ratios are of the rounds in which both runs worked.
func (t *trial) ratios(value func(Sample) float64) []float64 {
	var list []float64
	for i, s := range t.With {
		if p := t.Plain[i]; s.Error == "" && p.Error == "" && value(p) > 0 {
			list = append(list, value(s)/value(p))
		}
	}
	return list
}

func p99(s Sample) float64 {
	if s.Times == nil {
		return 0
	}
	return s.Times.P99
}
