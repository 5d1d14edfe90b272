package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/roost-ws/roost/loadtest"
)

// Exit codes of loadtest besides those that all commands have.
const (
	exitWorse      = 3 // diff: a figure is worse by more than the threshold
	exitUnexpected = 4 // an expectation failed
)

// outcomeFlags say where a report goes and what it has to show.
type outcomeFlags struct {
	json     bool
	out      string
	csv      string
	html     string
	expect   []string
	expected []loadtest.Expectation
}

func (o *outcomeFlags) register(f *pflag.FlagSet) {
	f.BoolVar(&o.json, "json", false, "print the report as JSON")
	f.StringVar(&o.out, "out", "", "write the report as JSON to this `file` too, for report and diff; - is the standard output, instead of the text, as of --csv and --html")
	f.StringVar(&o.csv, "csv", "", "write the run over time to this `file`, a line a second")
	f.StringVar(&o.html, "html", "", "write the report with charts to this `file`, one page that needs nothing else")
	f.StringArrayVar(&o.expect, "expect", nil, "exit with 4 unless this `figure op value` holds, as 'p99<20ms', 'loss==0' or 'errors<0.1%' (repeatable)")
}

// parse reads the expectations and looks where files go, before a run is spent on a mistyped one.
func (o *outcomeFlags) parse() error {
	for _, text := range o.expect {
		e, err := loadtest.ParseExpectation(text)
		if err != nil {
			return usageError{fmt.Errorf("--expect: %w", err)}
		}
		o.expected = append(o.expected, e)
	}
	return o.places()
}

// places refuses files that could not be written, before a run is spent on them.
func (o *outcomeFlags) places() error {
	used := o.json
	for flag, name := range map[string]string{"out": o.out, "csv": o.csv, "html": o.html} {
		if name == "-" && used {
			return usagef("--%s -: only one of --json, --out, --csv and --html can have the standard output: name a file", flag)
		}
		used = used || name == "-"
		if name == "" || name == "-" {
			continue
		}
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			return usagef("--%s %s: it is a folder; name a file in it", flag, name)
		}
		if info, err := os.Stat(filepath.Dir(name)); err != nil || !info.IsDir() {
			return usagef("--%s %s: there is no folder %s; make it first", flag, name, filepath.Dir(name))
		}
	}
	return nil
}

// write prints the report and writes the files.
func (o *outcomeFlags) write(stdout io.Writer, r *loadtest.Report) error {
	show := r.WriteText
	switch {
	case o.json || o.out == "-":
		show = jsonOf(r)
	case o.csv == "-":
		show = r.WriteCSV
	case o.html == "-":
		show = r.WriteHTML
	}
	return errors.Join(show(stdout), toFile(o.out, jsonOf(r)), toFile(o.csv, r.WriteCSV), toFile(o.html, r.WriteHTML))
}

// check is the error of the expectations that failed.
func (o *outcomeFlags) check(r *loadtest.Report) (failed error) {
	for _, e := range o.expected {
		failed = errors.Join(failed, e.Check(r))
	}
	return failed
}

func jsonOf(r *loadtest.Report) func(io.Writer) error {
	return func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
}

// toFile writes a file, if it has a name, and is not the standard output, which has what it is to have.
func toFile(name string, write func(io.Writer) error) (err error) {
	if name == "" || name == "-" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return write(file)
}
