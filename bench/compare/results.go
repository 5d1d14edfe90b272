package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/roost-ws/roost/bench/internal/lab"
)

// Results are everything that tables and plots are made from.
type Results struct {
	Date     string            `json:"date"`
	Machine  string            `json:"machine"`
	Setup    string            `json:"setup"`
	Versions map[string]string `json:"versions"` // by server name
	Samples  []Sample          `json:"samples"`
}

func (r *Results) describe(ctx context.Context, o options, which []server) {
	r.Date = time.Now().UTC().Format("2006-01-02 15:04 UTC")
	r.Machine = lab.Machine(ctx)
	r.Setup = fmt.Sprintf("server on core %s, load on core %s, loopback; %d rounds of %g s after 1 s of warm-up", o.serverCPU, o.loadCPU, o.rounds, o.seconds)
	if o.roostArgs != "" {
		r.Setup += "; roost echo " + o.roostArgs
	}
	r.Versions = make(map[string]string)
	for _, s := range which {
		r.Versions[s.Name] = version(ctx, o, s)
	}
}

func version(ctx context.Context, o options, s server) string {
	switch {
	case s.Kind == "roost":
		return lab.Revision(filepath.Join(o.cache, "bin", s.Name))
	case s.Version == "":
		return ""
	case s.Kind == "node":
		var pkg struct{ Version string }
		dir := filepath.Join(o.cache, "node", "node_modules", s.Version)
		text, err := os.ReadFile(filepath.Join(dir, "package.json"))
		if err != nil || json.Unmarshal(text, &pkg) != nil {
			return "unknown"
		}
		return fmt.Sprintf("%s (npm %s%s, Node %s)", pkg.Version, s.Version, republished(dir), lab.Output(ctx, "node", "--version"))
	}
	return lab.Output(ctx, "go", "list", "-m", "-f", "{{.Version}}", s.Version)
}

// republished says of which commit the package in dir is somebody else's copy, in
// the way that uWebSockets.js notes it, or nothing.
func republished(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "source_commit"))
	if err != nil {
		return ""
	}
	commit := strings.TrimSpace(string(text))
	return ", a republication, source commit " + commit[:min(7, len(commit))]
}

func (r *Results) save(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func (r *Results) load(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, r)
}

// of are the values of one server and work, one a round that worked.
func (r *Results) of(server, work string, value func(Sample) float64) []float64 {
	var list []float64
	for _, s := range r.Samples {
		if s.Server == server && s.Work == work && s.Error == "" {
			list = append(list, value(s))
		}
	}
	return list
}

func (r *Results) median(server, work string, value func(Sample) float64) (float64, bool) {
	return lab.Median(r.of(server, work, value))
}

// ratio is the median of the ratios to the floor's value in the same round, so
// that a slow minute of the machine falls on both.
func (r *Results) ratio(server, work string, value func(Sample) float64) (float64, bool) {
	base := make(map[int]float64)
	for _, s := range r.Samples {
		if s.Server == floor && s.Work == work && s.Error == "" {
			base[s.Round] = value(s)
		}
	}
	var list []float64
	for _, s := range r.Samples {
		if s.Server == server && s.Work == work && s.Error == "" && base[s.Round] > 0 {
			list = append(list, value(s)/base[s.Round])
		}
	}
	return lab.Median(list)
}

// spare tells whether the server left some of its core unused, so that something
// else limited the work: nearly always the load.
func (r *Results) spare(server, work string) bool {
	pct, ok := r.median(server, work, func(s Sample) float64 { return s.ServerPct })
	return ok && pct < 95
}

// present are the servers and works that have samples, in the order of the lists.
func (r *Results) present() (which []server, what []work) {
	for _, s := range servers() {
		if slices.ContainsFunc(r.Samples, func(x Sample) bool { return x.Server == s.Name }) {
			which = append(which, s)
		}
	}
	for _, w := range works() {
		if slices.ContainsFunc(r.Samples, func(x Sample) bool { return x.Work == w.Name }) {
			what = append(what, w)
		}
	}
	return which, what
}

func cpu(s Sample) float64       { return s.CPU }
func perSecond(s Sample) float64 { return s.PerSecond }
func bytesEach(s Sample) float64 { return s.Bytes }
