package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

// report is what a run found. Its methods may be called from several goroutines
// until the load has ended.
type report struct {
	Started     time.Time      `json:"started"`
	Length      time.Duration  `json:"length_ns"`
	Conns       int            `json:"conns"`
	Machine     string         `json:"machine"`
	Interrupted bool           `json:"interrupted"`
	Servers     []string       `json:"servers"`
	Baseline    []holding      `json:"baseline"` // by server, after the warm-up
	End         []holding      `json:"end"`
	Samples     []sample       `json:"samples"` // under load
	Rounds      map[string]int `json:"rounds"`  // by scenario, the warm-up's included
	Opened      int            `json:"opened"`  // connections, without the rude ones
	Messages    uint64         `json:"messages"`
	Wrong       []string       `json:"wrong"` // empty is what it should be

	mu sync.Mutex
}

type sample struct {
	At   time.Duration `json:"at_ns"` // since the start
	Held []holding     `json:"held"`  // by server
}

func newReport(length time.Duration, conns int) *report {
	return &report{Started: time.Now().UTC(), Length: length, Conns: conns, Rounds: map[string]int{}, Wrong: []string{},
		Machine: fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())}
}

// maxWrong bounds what is told: of a server that is gone every client has something to say.
const maxWrong = 40

func (r *report) wrong(from string, what ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range what {
		if from != "" {
			w = fmt.Sprintf("%s, after %s: %s", from, time.Since(r.Started).Round(time.Second), w)
		}
		if len(r.Wrong) < maxWrong {
			r.Wrong = append(r.Wrong, w)
		}
	}
}

// round notes the end of a scenario's round, of which got may be nil.
func (r *report) round(name string, got *loadtest.Report, err error) {
	if err != nil {
		r.wrong(name, err.Error())
	}
	if got != nil {
		r.wrong(name, met(got)...)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Rounds[name]++
	if got == nil {
		return
	}
	r.Opened += got.Connections.Opened
	switch {
	case got.Echo != nil:
		r.Messages += got.Echo.Messages
	case got.Churn != nil:
		r.Opened += int(got.Churn.Opened)
		if got.Churn.Echo != nil {
			r.Messages += got.Churn.Echo.Messages
		}
	case got.Broadcast != nil:
		r.Messages += got.Broadcast.Deliveries
	case got.Push != nil:
		r.Messages += got.Push.Deliveries
	case got.Slow != nil:
		r.Messages += got.Slow.Baseline.Messages + got.Slow.Loaded.Messages
	}
}

func (r *report) sample(held []holding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Samples = append(r.Samples, sample{time.Since(r.Started), held})
}

// What may remain beyond the baseline, and why.
const (
	// Descriptors and goroutines of connections are gone or they are not. A loop's
	// crew may have a worker more that waits for work.
	moreGoroutines = 8
	// Free lists and tables grow to the most that there was at one moment, which differs
	// between the warm-up and the rest. A leak of 100 bytes in each of 50,000 connections is 5 MB.
	moreHeap = 4 << 20
	// The Go runtime keeps pages for the next burst, and gives them back over minutes; fragments
	// of pages stay. Half of it more, and that much:
	moreRSS = 16 << 20
)

// excess tells which of the servers hold more now than they may.
func excess(names []string, before, now []holding) (wrong []string) {
	for i := range before {
		b, n := before[i], now[i]
		for _, f := range []struct {
			what            string
			was, is, atMost int64
		}{
			{"descriptors", int64(b.Descriptors), int64(n.Descriptors), int64(b.Descriptors)},
			{"goroutines", int64(b.Goroutines), int64(n.Goroutines), int64(b.Goroutines) + moreGoroutines},
			{"bytes of heap", b.Heap, n.Heap, b.Heap + b.Heap/4 + moreHeap},
			{"bytes of anonymous RSS", b.RSS, n.RSS, b.RSS + b.RSS/2 + moreRSS},
		} {
			if f.is > f.atMost {
				wrong = append(wrong, fmt.Sprintf("%s: %d %s did not return to %d: want at most %d", names[i], f.is, f.what, f.was, f.atMost))
			}
		}
	}
	return wrong
}

// judge compares the end with the beginning.
func (r *report) judge() {
	if len(r.End) == len(r.Baseline) {
		r.wrong("", excess(r.Servers, r.Baseline, r.End)...)
	}
}

// rows is how many samples the table shows.
const rows = 12

func (r *report) markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Soak of %v with about %d connections at a time, %s, %s.", r.Length, r.Conns, r.Started.Format(time.DateOnly+" 15:04 UTC"), r.Machine)
	line("%d connections opened, %d messages verified. Rounds:", r.Opened, r.Messages)
	for _, name := range slices.Sorted(maps.Keys(r.Rounds)) {
		line("- %s: %d", name, r.Rounds[name])
	}
	line("\nEach cell: anonymous RSS in MiB, heap in MiB, goroutines, descriptors.\n")
	line("| at | %s |", strings.Join(r.Servers, " | "))
	line("| --- |%s", strings.Repeat(" --- |", len(r.Servers)))
	row := func(at string, held []holding) {
		cells := make([]string, len(held))
		for i, h := range held {
			cells[i] = fmt.Sprintf("%.1f, %.1f, %d, %d", mib(h.RSS), mib(h.Heap), h.Goroutines, h.Descriptors)
		}
		line("| %s | %s |", at, strings.Join(cells, " | "))
	}
	row("after the warm-up", r.Baseline)
	for i := range min(rows, len(r.Samples)) {
		s := r.Samples[(i+1)*len(r.Samples)/min(rows, len(r.Samples))-1]
		row(s.At.Round(time.Second).String(), s.Held)
	}
	row("after the load", r.End)
	if r.Interrupted {
		line("\nIt was interrupted.")
	}
	if len(r.Wrong) == 0 {
		line("\nAll returned to where it began, and no client met anything that it should not.")
		return b.String()
	}
	line("\nWRONG:\n")
	for _, w := range r.Wrong {
		line("- %s", w)
	}
	return b.String()
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// write leaves soak.md and soak.json in dir.
func (r *report) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "soak.md"), []byte(r.markdown()), 0o644),
		os.WriteFile(filepath.Join(dir, "soak.json"), append(text, '\n'), 0o644))
}
