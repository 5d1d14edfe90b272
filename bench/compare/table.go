package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/roost-ws/roost/bench/internal/lab"
)

// draw writes results.md and the plots into dir.
func draw(r *Results, dir string) error {
	var md strings.Builder
	fmt.Fprintf(&md, "%s; %s; %s.\n", r.Date, r.Machine, r.Setup)
	which, what := r.present()
	costTable(&md, r, which, slices.DeleteFunc(slices.Clone(what), func(w work) bool { return w.Idle }))
	memoryTable(&md, r, which, slices.DeleteFunc(slices.Clone(what), func(w work) bool { return !w.Idle }))
	rateTable(&md, r, which, what)
	for _, w := range what {
		if !w.Idle {
			timesTable(&md, r, which, w)
		}
	}
	failures(&md, r)
	if err := os.WriteFile(filepath.Join(dir, "results.md"), []byte(md.String()), 0o644); err != nil {
		return err
	}
	return plots(r, dir)
}

func costTable(md *strings.Builder, r *Results, which []server, what []work) {
	md.WriteString("\n### Server CPU\n\nµs of the server process's CPU a message, delivery or connection, and its ratio to the C floor in the same round. " +
		"Medians. The last three works' load is roost loadtest: the one in C has neither TLS nor a compressor.\n\n")
	head := []string{"server"}
	for _, w := range what {
		head = append(head, w.Title)
	}
	lab.Head(md, head...)
	for _, s := range which {
		cells := []string{label(r, s)}
		for _, w := range what {
			cells = append(cells, withRatio(r, s, w, cpu, 3))
		}
		lab.Row(md, cells...)
	}
}

func memoryTable(md *strings.Builder, r *Results, which []server, what []work) {
	if len(what) == 0 {
		return
	}
	md.WriteString("\n### Memory\n\nBytes a connection that has sent nothing yet: growth of the server's resident anonymous memory from the first tenth of " +
		"the connections to all. One round.\n\n")
	head := []string{"server"}
	for _, w := range what {
		head = append(head, w.Title)
	}
	lab.Head(md, head...)
	for _, s := range which {
		cells := []string{label(r, s)}
		for _, w := range what {
			cells = append(cells, withRatio(r, s, w, bytesEach, 4))
		}
		lab.Row(md, cells...)
	}
}

func withRatio(r *Results, s server, w work, value func(Sample) float64, digits int) string {
	v, ok := r.median(s.Name, w.Name, value)
	if !ok {
		return "–"
	}
	text := lab.Number(v, digits)
	if ratio, ok := r.ratio(s.Name, w.Name, value); ok && s.Name != floor && !w.Idle {
		text += fmt.Sprintf(" (%.2f ×)", ratio)
	}
	return text
}

// spareNote is what the marks of Results.spare mean.
const spareNote = "the server used less than 95 % of its core"

func rateTable(md *strings.Builder, r *Results, which []server, what []work) {
	md.WriteString("\n### A second, on one core\n\nMedians. ≥: " + spareNote + ": not its CPU was the limit but, mostly, the load.\n\n")
	head := []string{"server"}
	for _, w := range what {
		if !w.Idle {
			head = append(head, w.Title)
		}
	}
	lab.Head(md, head...)
	for _, s := range which {
		cells := []string{label(r, s)}
		for _, w := range what {
			if w.Idle {
				continue
			}
			v, ok := r.median(s.Name, w.Name, perSecond)
			text := lab.Number(v, 3)
			if r.spare(s.Name, w.Name) {
				text = "≥ " + text
			}
			cells = append(cells, orDash(text, ok))
		}
		lab.Row(md, cells...)
	}
}

func timesTable(md *strings.Builder, r *Results, which []server, w work) {
	fmt.Fprintf(md, "\n### Time: %s\n\nms, medians of the rounds' percentiles.", w.Title)
	if slices.ContainsFunc(which, func(s server) bool { return r.spare(s.Name, w.Name) }) {
		md.WriteString(" †: " + spareNote + ": it waited, mostly for the load, whose times these are too.")
	}
	md.WriteString("\n\n")
	head := []string{"server"}
	for _, p := range percentiles() {
		head = append(head, p.name)
	}
	lab.Head(md, head...)
	for _, s := range which {
		cells := []string{label(r, s)}
		if r.spare(s.Name, w.Name) {
			cells[0] += " †"
		}
		for _, p := range percentiles() {
			v, ok := r.median(s.Name, w.Name, p.of)
			cells = append(cells, orDash(lab.Number(v, 3), ok))
		}
		lab.Row(md, cells...)
	}
}

type percentile struct {
	name string
	of   func(Sample) float64 // ms
}

func percentiles() []percentile {
	pick := func(of func(*Times) float64) func(Sample) float64 {
		return func(s Sample) float64 {
			if s.Times == nil {
				return 0
			}
			return of(s.Times) / 1000
		}
	}
	return []percentile{
		{"p50", pick(func(t *Times) float64 { return t.P50 })},
		{"p90", pick(func(t *Times) float64 { return t.P90 })},
		{"p99", pick(func(t *Times) float64 { return t.P99 })},
		{"p99.9", pick(func(t *Times) float64 { return t.P999 })},
	}
}

func failures(md *strings.Builder, r *Results) {
	for _, s := range r.Samples {
		if s.Error != "" {
			fmt.Fprintf(md, "\nFailed: %s, %s, round %d: `%s`\n", s.Server, s.Work, s.Round+1, strings.Join(strings.Fields(s.Error), " "))
		}
	}
}

func label(r *Results, s server) string {
	if v := r.Versions[s.Name]; v != "" {
		return s.Label + " " + v
	}
	return s.Label
}

func orDash(text string, ok bool) string {
	if !ok {
		return "–"
	}
	return text
}
