// Command soak runs roost's servers under a mixed load for some time, and then looks
// whether all is given back: memory, goroutines, descriptors. It builds roost from the
// tree it stands in, and needs a /proc, so linux.
//
//	go run ./internal/soak -for 20m -out /tmp/soak
//
// A first short load warms the servers up, as much that is kept on purpose is made then:
// worker goroutines, free lists, compressors. What they hold after it, without a
// connection, is what they have to return to after the load that follows. It exits
// with 1 when they do not, or when a client met anything but what it should. An
// interrupt ends the load early, and the servers are looked at all the same.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	length := flag.Duration("for", 20*time.Minute, "how long it lasts, until the load ends; 30s at least")
	conns := flag.Int("conns", 300, "connections at a time, about; 60 at least")
	out := flag.String("out", "", "also write soak.md and soak.json into this `folder`")
	flag.Parse()
	if *length < 30*time.Second || *conns < 60 || *conns > 10_000 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "soak: -for 30s or more, -conns 60 to 10000, and no other argument")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := soak(ctx, *length, *conns)
	if err == nil && *out != "" {
		err = r.write(*out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	fmt.Print(r.markdown())
	if len(r.Wrong) > 0 {
		os.Exit(1)
	}
}

// soak is the whole run.
func soak(ctx context.Context, length time.Duration, conns int) (*report, error) {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	f, err := launch(dir)
	if err != nil {
		return nil, err
	}
	r := newReport(length, conns)
	// Nobody but the load is told of an interrupt: the rest is what it leads to.
	l := &load{fleet: f, conns: conns, report: r}
	l.run(ctx, time.Now().Add(min(length/5, time.Minute)))
	r.Baseline, err = f.settled(nil)
	if err == nil {
		watched := f.watch(r)
		l.run(ctx, r.Started.Add(length))
		watched()
		r.End, err = f.settled(r.Baseline)
	}
	r.Interrupted = ctx.Err() != nil
	r.judge()
	r.wrong("", f.stop()...)
	return r, err
}

// buildRoost returns the path of a roost built from the tree.
func buildRoost(dir string) (string, error) {
	path := filepath.Join(dir, "roost")
	return path, command("go", "build", "-o", path, "./cmd/roost")
}
