// Command million opens a million idle connections with roost echo and roost
// loadtest, and records what they cost. Run it in bench/ (Linux):
//
//	go run ./million                          # one server process, in a guest kernel
//	go run ./million -conns 50000 -mem 3G     # the same, in two minutes
//	go run ./million -fleet 52 -conns 1000000 # many server processes, on this kernel
//
// A process seldom may open a million descriptors, and here not even root may
// change that. So the first boots user-mode-linux (apt-get install
// user-mode-linux) on this machine's own files. A system call costs about 60 µs
// there: bytes count, times do not. It needs about 8 KB of memory a connection.
//
// Results go to million.json and million.md in -out; each kind of run keeps the
// other's. The command ends whatever it started.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type options struct {
	conns    int
	mem      string
	fleet    int
	hold     time.Duration
	limit    time.Duration
	out      string
	cache    string
	roostBin string
	read     bool
}

func main() {
	log.SetFlags(log.Ltime)
	var o options
	flag.IntVar(&o.conns, "conns", 1_000_000, "connections to open")
	flag.StringVar(&o.mem, "mem", "15G", "the guest's memory")
	flag.IntVar(&o.fleet, "fleet", 0, "run this many `servers` on this machine's own kernel, instead of one in a guest")
	flag.DurationVar(&o.hold, "hold", 70*time.Second, "how long a fleet's connections stand, with a heartbeat every 30 s")
	flag.DurationVar(&o.limit, "limit", 90*time.Minute, "most time that all may take")
	flag.StringVar(&o.out, "out", "../docs/bench", "`folder` for the results")
	flag.StringVar(&o.cache, "cache", "../.cache/million", "`folder` for what is built, and for the logs")
	flag.StringVar(&o.roostBin, "roost-bin", "", "a built `roost` to measure, instead of building this tree's")
	flag.BoolVar(&o.read, "read", false, "boot nothing: record what the last guest left in -cache")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) error {
	work, err := filepath.Abs(o.cache)
	if err != nil {
		return err
	}
	o.cache = work
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	if err := o.build(ctx); err != nil {
		return err
	}
	b := bench{options: o}
	if err := b.results.load(o.out); err != nil {
		return err
	}
	b.record = newRecord(ctx, o)
	if o.fleet > 0 {
		err = b.runFleet(ctx)
	} else {
		err = b.runGuest(ctx)
	}
	if err != nil {
		return err
	}
	return b.results.save(o.out)
}

// bench is one run of the command.
type bench struct {
	options
	results results // earlier ones, and at the end this run's
	record  record  // this run's
}

// build puts the roost to measure into the cache: a server that runs for half an
// hour must not change under a build.
func (o *options) build(ctx context.Context) error {
	bin := filepath.Join(o.cache, "roost")
	if o.read {
		o.roostBin = bin
		return nil
	}
	cmd := exec.CommandContext(ctx, "cp", o.roostBin, bin)
	if o.roostBin == "" {
		cmd = exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/roost")
		cmd.Dir = ".."
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
	}
	o.roostBin = bin
	return nil
}
