//go:build linux

// Command growth measures whether a server that holds many connections does its
// work as cheaply as one that holds few: echo and handshake CPU, the time to wake
// up for a lone message, heartbeats, and the garbage collector. Run it in bench/
// (Linux, with gcc and taskset):
//
//	go run ./growth                                  # 1k to 100k, with the C floor: 10 minutes
//	go run ./growth -sizes 1000,5000 -rounds 1 -seconds 1 -heart 0
//	go run ./growth -sizes 1000,1000000 -rounds 1 -servers roost   # 52 servers, 11 GB, 15 minutes
//
// Beyond 18,000 connections it runs several server processes, each with a port, a
// load and idle connections of its own, from 250 source addresses. Results go to
// growth.json and growth.md in -out. It ends whatever it started.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/roost-ws/roost/bench/internal/lab"
)

type options struct {
	sizes     []int
	servers   []string
	rounds    int
	seconds   float64
	heart     time.Duration
	out       string
	cache     string
	serverCPU string
	loadCPU   string
	roostBin  string
}

func main() {
	log.SetFlags(log.Ltime)
	o := options{sizes: []int{1000, 10_000, 18_000, 100_000}, servers: []string{roost, floor}}
	flag.Func("sizes", "connections held, comma-separated; ratios are to the first (1000,10000,18000,100000)", o.parseSizes)
	flag.Func("servers", "roost, limit or both (roost,limit)", func(s string) error { o.servers = strings.Split(s, ","); return nil })
	flag.IntVar(&o.rounds, "rounds", 3, "how often all is measured; medians are reported")
	flag.Float64Var(&o.seconds, "seconds", 2, "measured `seconds` of each load, after one of warm-up")
	flag.DurationVar(&o.heart, "heart", 30*time.Second, "watch Roost's heartbeats of this interval, once a size; 0 for not at all")
	flag.StringVar(&o.out, "out", "../docs/bench", "`folder` for the results")
	flag.StringVar(&o.cache, "cache", "../.cache/growth", "`folder` for what is built")
	flag.StringVar(&o.serverCPU, "server-cpu", "0", "`list` of cores for the servers")
	flag.StringVar(&o.loadCPU, "load-cpu", "1", "`list` of cores for the loads")
	flag.StringVar(&o.roostBin, "roost-bin", "", "a built `roost` to measure, instead of building this tree's")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

func (o *options) parseSizes(list string) error {
	o.sizes = nil
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < active {
			return fmt.Errorf("%q: want a number from %d", s, active)
		}
		o.sizes = append(o.sizes, n)
	}
	return nil
}

func run(ctx context.Context, o options) error {
	for _, n := range o.sizes {
		if err := fits(n); err != nil {
			return err
		}
	}
	if err := o.build(ctx); err != nil {
		return err
	}
	r := Results{
		Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Machine: lab.Machine(ctx), Revision: lab.Revision(o.cache + "/" + roost),
		Setup: fmt.Sprintf("servers on core %s, load on core %s, loopback; %d rounds of %g s after 1 s of warm-up", o.serverCPU, o.loadCPU, o.rounds, o.seconds),
		Heart: o.heart,
	}
	if err := o.measure(ctx, &r); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "growth.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "growth.md"), []byte(r.markdown()), 0o644)
}

// measure goes over the sizes in each round, so that a slow minute of the machine
// falls on all of them.
func (o options) measure(ctx context.Context, r *Results) error {
	port := 25_000
	for round := range o.rounds {
		for _, n := range o.sizes {
			for _, kind := range o.servers {
				s, err := o.sample(ctx, kind, n, port)
				if err != nil {
					return fmt.Errorf("%s with %d connections: %w", kind, n, err)
				}
				port += 200
				s.Round = round
				log.Printf("round %d/%d  %s", round+1, o.rounds, s)
				r.Samples = append(r.Samples, s)
			}
		}
	}
	if o.heart == 0 {
		return nil
	}
	for _, n := range o.sizes {
		b, err := o.beat(ctx, n, port)
		if err != nil {
			return fmt.Errorf("heartbeats of %d connections: %w", n, err)
		}
		port += 200
		log.Printf("heartbeats of %d: %.4f cores", n, b.Cores)
		r.Beats = append(r.Beats, b)
	}
	return nil
}

func (o *options) build(ctx context.Context) error {
	abs, err := filepath.Abs(o.cache)
	if err != nil {
		return err
	}
	o.cache = abs
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return err
	}
	commands := [][]string{
		{"gcc", "-O2", "-o", abs + "/load", "cload/load.c"}, {"gcc", "-O2", "-o", abs + "/" + floor, "climit/limit.c"},
		{"go", "build", "-C", "..", "-o", abs + "/" + roost, "./cmd/roost"},
	}
	if o.roostBin != "" {
		commands[2] = []string{"cp", o.roostBin, abs + "/" + roost}
	}
	for _, c := range commands {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, out)
		}
	}
	return nil
}

// fits refuses what the machine's memory does not hold.
func fits(conns int) error {
	const each, process = 10_000, 20 << 20 // bytes: both ends in the kernel and the programs' own; a server and its load
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return fmt.Errorf("MemAvailable in /proc/meminfo: %w", err)
	}
	if need := conns*each + processes(conns)*process; need > kib<<10 {
		return fmt.Errorf("%d connections need about %d MB of memory and %d are available: hold fewer with -sizes", conns, need>>20, kib>>10)
	}
	return nil
}
