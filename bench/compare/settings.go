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

// A setting is Roost with more flags at one work, beside Roost without them. One
// without flags or base is a control: its ratios are what chance alone makes.
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

// Settings are the results of settings: in each round a sample of a setting and,
// right before or after it, one of its plain, which it shares with no other.
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

// leastRounds of a setting without effect fall all on one side of 1 in 3 % of the
// cases; three would in a quarter.
const leastRounds = 6

// measureSettings runs every setting next to its plain once a round, in turn the one
// and the other first, so that a machine that slows down favours neither.
func measureSettings(ctx context.Context, o options, list []setting) (r Settings) {
	r.Date, r.Machine = time.Now().UTC().Format("2006-01-02 15:04 UTC"), lab.Machine(ctx)
	r.Setup = fmt.Sprintf("server on core %s unless said otherwise, load on core %s, loopback; %d rounds of %g s after 1 s of warm-up, one of idle works",
		o.serverCPU, o.loadCPU, o.rounds, o.seconds)
	r.Revision = lab.Revision(filepath.Join(o.cache, "bin", "roost"))
	for _, s := range withControls(list) {
		r.Trials = append(r.Trials, &trial{setting: s})
	}
	port := 24000
	for round := range o.rounds {
		for _, t := range r.Trials {
			if t.work().Idle && round > 0 {
				continue // bytes hardly differ from round to round
			}
			var pair [2]Sample // plain, with
			for i := range pair {
				at := (i + round) % len(pair)
				job := [...]setting{t.plain(), t.setting}[at]
				port++
				pair[at] = job.run(ctx, o, port)
				pair[at].Round = round
				log.Printf("round %d/%d  %-12s %-22s %s", round+1, o.rounds, job.Work, job.Flags, pair[at])
				if ctx.Err() != nil {
					return r
				}
			}
			t.Plain, t.With = append(t.Plain, pair[0]), append(t.With, pair[1])
		}
	}
	return r
}

// withControls is list and before it a control of each thing it is compared with.
func withControls(list []setting) []setting {
	var controls []setting
	for _, s := range list {
		if p := s.plain(); !slices.Contains(controls, p) {
			controls = append(controls, p)
		}
	}
	return append(controls, list...)
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
