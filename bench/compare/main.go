// Command compare measures Roost and its peers from outside and draws the
// results: a server on one core, a load that is none of theirs on the other, the
// servers in turn in every round. Run it in bench/ (Linux, with gcc, taskset and,
// for the Node peers, npm):
//
//	go run ./compare                                  # everything: about 25 minutes
//	go run ./compare -rounds 1 -seconds 1 -servers limit,roost -works echo-64x16
//	go run ./compare -redraw                          # tables and plots again
//	go run ./compare -variant '--loops 2' -variant '--batch 64' -works echo-64x1
//	go run ./compare -tune -seconds 1                 # the flags of docs/tuning.md: 12 minutes
//
// It writes results.json, results.md and the plots to -out; of variants
// variants.json and variants.md, of -tune tuning.json and tuning.md, both with six
// rounds at least and Roost beside itself for a control. It starts only
// processes that it ends itself, and every run of the load has a time limit.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

type options struct {
	rounds    int
	seconds   float64
	servers   string
	works     string
	out       string
	cache     string
	serverCPU string
	loadCPU   string
	roostArgs string
	roostBin  string
	redraw    bool
	tune      bool
	variants  []string
}

func main() {
	log.SetFlags(log.Ltime)
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "how often each server does each work (flags: 6 at least); medians are reported")
	flag.Float64Var(&o.seconds, "seconds", 3, "measured `seconds` of each run, after one of warm-up")
	flag.StringVar(&o.servers, "servers", "all", "comma-separated `names`: "+strings.Join(names(servers()), ", "))
	flag.StringVar(&o.works, "works", "all", "comma-separated `names`: "+strings.Join(workNames(), ", "))
	flag.StringVar(&o.out, "out", "../docs/bench", "`folder` for the results")
	flag.StringVar(&o.cache, "cache", "../.cache/bench", "`folder` for what is built")
	flag.StringVar(&o.serverCPU, "server-cpu", "0", "`list` of cores for the server, as taskset wants it")
	flag.StringVar(&o.loadCPU, "load-cpu", "1", "`list` of cores for the load")
	flag.StringVar(&o.roostArgs, "roost-args", "", "more `flags` for roost echo")
	flag.StringVar(&o.roostBin, "roost-bin", "", "a built `roost` to measure, instead of building this tree's")
	flag.BoolVar(&o.redraw, "redraw", false, "measure nothing: draw results.json again")
	flag.BoolVar(&o.tune, "tune", false, "measure Roost's flags, each where it should matter")
	flag.Func("variant", "measure Roost with these `flags` beside Roost without them, instead of other servers (repeatable)", func(f string) error {
		o.variants = append(o.variants, f)
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) error {
	var r Results
	path := filepath.Join(o.out, "results.json")
	if o.redraw {
		if err := r.load(path); err != nil {
			return err
		}
		return draw(&r, o.out)
	}
	which, err := choose(o.servers, servers(), server.name)
	if err != nil {
		return fmt.Errorf("-servers: %w", err)
	}
	what, err := choose(o.works, works(), work.name)
	if err != nil {
		return fmt.Errorf("-works: %w", err)
	}
	b := builder{cache: o.cache, roost: o.roostBin}
	if o.tune || len(o.variants) > 0 {
		return runSettings(ctx, o, b, what)
	}
	if err := b.all(ctx, which, what); err != nil {
		return err
	}
	r.describe(ctx, o, which)
	measure(ctx, o, which, what, &r)
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if err := r.save(path); err != nil {
		return err
	}
	return draw(&r, o.out)
}

// runSettings compares Roost with itself.
func runSettings(ctx context.Context, o options, b builder, what []work) error {
	list, name := settingsOf(o.variants, what), "variants"
	if o.tune {
		list, name, what = tuning(), "tuning", works()
	}
	roost := []server{{Name: "roost", Kind: "roost"}}
	if err := b.all(ctx, roost, what); err != nil {
		return err
	}
	o.rounds = max(o.rounds, leastRounds)
	r := measureSettings(ctx, o, list)
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	return r.write(o.out, name)
}

// measure fills r round by round. A run that fails is recorded with its reason
// and the others go on; after an interrupt the rounds so far stay.
func measure(ctx context.Context, o options, which []server, what []work, r *Results) {
	port := 19400
	for round := range o.rounds {
		for _, w := range what {
			if w.Idle && round > 0 {
				continue // bytes hardly differ from round to round
			}
			for i := range which {
				s := which[(i+round)%len(which)] // no server always runs after the same one
				if !s.does(w) {
					continue
				}
				port++
				sample := runOnce(ctx, o, s, w, port)
				if ctx.Err() != nil {
					return
				}
				sample.Round = round
				log.Printf("round %d/%d  %-11s %-9s %s", round+1, o.rounds, w.Name, s.Name, sample)
				r.Samples = append(r.Samples, sample)
			}
		}
	}
}

// choose picks the named items of all, in the order of all; "all" is all of them.
func choose[T any](list string, all []T, name func(T) string) ([]T, error) {
	if list == "all" {
		return all, nil
	}
	want := make(map[string]bool)
	for n := range strings.SplitSeq(list, ",") {
		want[strings.TrimSpace(n)] = true
	}
	var chosen []T
	for _, item := range all {
		if want[name(item)] {
			chosen = append(chosen, item)
			delete(want, name(item))
		}
	}
	for n := range want {
		return nil, fmt.Errorf("no %q; see -help for the names", n)
	}
	return chosen, nil
}
