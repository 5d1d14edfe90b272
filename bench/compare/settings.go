package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/roost-ws/roost/bench/internal/lab"
)

// A setting is Roost with more flags at one work, beside Roost without them in
// the same round.
type setting struct {
	Flags string `json:"flags"`
	Work  string `json:"work"`
	Base  string `json:"base,omitempty"`  // Roost's work without the flags, if it is another
	Cores string `json:"cores,omitempty"` // of both servers, instead of -server-cpu
}

// plain is what s is compared with.
func (s setting) plain() setting {
	if s.Base != "" {
		s.Work = s.Base
	}
	return setting{Work: s.Work, Cores: s.Cores}
}

// Settings are the results of settings: in each round a sample of a setting and
// one of its plain.
type Settings struct {
	Date     string   `json:"date"`
	Machine  string   `json:"machine"`
	Setup    string   `json:"setup"`
	Revision string   `json:"revision"`
	Trials   []*trial `json:"trials"`
}

type trial struct {
	setting
	Plain []Sample `json:"plain"`
	With  []Sample `json:"with"`
}

// measureSettings runs every setting, and what it is compared with, once a round,
// works one after another so that what is compared is near in time.
func measureSettings(ctx context.Context, o options, list []setting) (r Settings) {
	r.Date, r.Machine = time.Now().UTC().Format("2006-01-02 15:04 UTC"), lab.Machine(ctx)
	r.Setup = fmt.Sprintf("server on core %s unless said otherwise, load on core %s, loopback; %d rounds of %g s after 1 s of warm-up",
		o.serverCPU, o.loadCPU, o.rounds, o.seconds)
	r.Revision = lab.Revision(filepath.Join(o.cache, "bin", "roost"))
	for _, s := range list {
		r.Trials = append(r.Trials, &trial{setting: s})
	}
	jobs := jobsOf(list)
	port := 24000
	for round := range o.rounds {
		done := make(map[setting]Sample)
		for _, group := range jobs {
			if group[0].work().Idle && round > 0 {
				continue // bytes hardly differ from round to round
			}
			for i := range group {
				job := group[(i+round)%len(group)]
				port++
				sample := job.run(ctx, o, port)
				sample.Round = round
				done[job] = sample
				log.Printf("round %d/%d  %-12s %-22s %s", round+1, o.rounds, job.Work, job.Flags, sample)
				if ctx.Err() != nil {
					return r
				}
			}
		}
		for _, t := range r.Trials {
			if with, ok := done[t.job()]; ok {
				t.Plain, t.With = append(t.Plain, done[t.plain()]), append(t.With, with)
			}
		}
	}
	return r
}

// job is s without what only says how it is compared.
func (s setting) job() setting { return setting{Flags: s.Flags, Work: s.Work, Cores: s.Cores} }

// jobsOf are the runs of a round, those of one work and the same cores together.
func jobsOf(list []setting) (groups [][]setting) {
	add := func(s setting) {
		i := slices.IndexFunc(groups, func(g []setting) bool { return g[0].Work == s.Work && g[0].Cores == s.Cores })
		if i < 0 {
			groups = append(groups, []setting{s})
		} else if !slices.Contains(groups[i], s) {
			groups[i] = append(groups[i], s)
		}
	}
	for _, s := range list {
		add(s.plain())
		add(s.job())
	}
	return groups
}

func (s setting) run(ctx context.Context, o options, port int) Sample {
	if s.Cores != "" {
		o.serverCPU = s.Cores
	}
	return runOnce(ctx, o, server{Name: strings.TrimSpace("roost " + s.Flags), Kind: "roost", args: s.Flags}, s.work(), port)
}

func (s setting) work() work {
	return works()[slices.IndexFunc(works(), func(w work) bool { return w.Name == s.Work })]
}

// write leaves name.json and name.md in dir.
func (r *Settings) write(dir, name string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".md"), []byte(r.markdown()), 0o644)
}

func (r *Settings) markdown() string {
	var md strings.Builder
	md.WriteString("# Roost with other flags\n\n")
	fmt.Fprintf(&md, "%s; %s; %s; Roost %s.\n\nEach beside Roost without the flags in the same round: the median of the rounds' ratios, and the least and "+
		"the greatest. A range with 1 in it shows no effect. CPU is the server's, a message, delivery or connection; bytes are its own memory, an idle connection.\n\n",
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
		if t.Flags != "" {
			flags = "`" + t.Flags + "`"
		}
		lab.Row(&md, flags, what, t.ratio(cpu), t.ratio(p99), t.ratio(bytesEach))
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

// ratio is "median (least–greatest)" of the rounds that worked.
func (t *trial) ratio(value func(Sample) float64) string {
	var list []float64
	for i, s := range t.With {
		if p := t.Plain[i]; s.Error == "" && p.Error == "" && value(p) > 0 {
			list = append(list, value(s)/value(p))
		}
	}
	m, ok := lab.Median(list)
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.2f × (%.2f–%.2f)", m, slices.Min(list), slices.Max(list))
}

func p99(s Sample) float64 {
	if s.Times == nil {
		return 0
	}
	return s.Times.P99
}
