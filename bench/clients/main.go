//go:build linux

// Command clients measures what load generators cost: the CPU time that a client itself spends on a message,
// all with the same work against the same server. The server is the C floor (climit) on one core; the
// client has another to itself: 1,000 connections, 64-byte binary messages, each sent when the
// one before has come back. Run it in bench/ (Linux, with gcc and taskset):
//
//	GOBIN=$PWD/../.cache/bin go install go.k6.io/k6@v1.8.1      # each is left out where it is missing
//	apt-get install tsung
//	npm install --prefix ../.cache/npm-ws ws
//	go run ./clients                                            # a Markdown table, within 3 minutes
//
// C and Roost take turns, and their ratio is the median of the rounds'. Roost, C and node tell their CPU time while they
// measure; k6 and tsung do not, so that of their whole process counts, its start included. It ends
// whatever it started.
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

	"github.com/roost-ws/roost/bench/internal/lab"
)

func main() {
	log.SetFlags(log.Ltime)
	b := bench{conns: 1000, size: 64}
	flag.IntVar(&b.rounds, "rounds", 3, "how often C and Roost are measured, in turn")
	flag.IntVar(&b.seconds, "seconds", 5, "measured `seconds` of each client")
	flag.StringVar(&b.cache, "cache", "../.cache", "`folder` for what is built, and of k6 and npm ws")
	flag.StringVar(&b.serverCPU, "server-cpu", "0", "`list` of cores for the server")
	flag.StringVar(&b.clientCPU, "client-cpu", "1", "`list` of cores for the client")
	flag.IntVar(&b.port, "port", 9311, "the server's `port` on 127.0.0.1")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		log.Fatal(err)
	}
}

// bench is one run of the command.
type bench struct {
	rounds, seconds, conns, size, port int
	cache, serverCPU, clientCPU        string
}

// figure is what one client did.
type figure struct {
	messages float64 // that came back
	cpu      time.Duration
	seconds  float64
}

func (f figure) cost() float64 { return float64(f.cpu.Nanoseconds()) / 1e3 / f.messages }

func (b *bench) run(ctx context.Context) error {
	var err error
	if b.cache, err = filepath.Abs(b.cache); err != nil {
		return err
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	all := b.clients(ctx)
	figures := make(map[string][]figure)
	ratios := make(map[string][]float64)
	for round := range b.rounds {
		for _, c := range all {
			if round > 0 && !c.turns {
				continue
			}
			log.Printf("round %d: %s", round+1, c.name)
			f, err := b.measure(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if f.messages == 0 {
				return fmt.Errorf("%s: no message came back", c.name)
			}
			figures[c.name] = append(figures[c.name], f)
			floor := figures[all[0].name]
			ratios[c.name] = append(ratios[c.name], f.cost()/floor[len(floor)-1].cost())
		}
	}
	fmt.Print(b.table(ctx, all, figures, ratios))
	return nil
}

// table is the report.
func (b *bench) table(ctx context.Context, all []client, figures map[string][]figure, ratios map[string][]float64) string {
	var md strings.Builder
	fmt.Fprintf(&md, "%s UTC, %s; %d rounds of %d s, %d connections, %d-byte echo, 1 in flight, the client on one core.\n\n",
		time.Now().UTC().Format("2006-01-02 15:04"), lab.Machine(ctx), b.rounds, b.seconds, b.conns, b.size)
	lab.Head(&md, "client", "its CPU, µs a message", "beside C", "messages a second")
	for _, c := range all {
		var costs, rates []float64
		for _, f := range figures[c.name] {
			costs, rates = append(costs, f.cost()), append(rates, f.messages/f.seconds)
		}
		cost, _ := lab.Median(costs)
		ratio, _ := lab.Median(ratios[c.name])
		rate, _ := lab.Median(rates)
		lab.Row(&md, c.name, lab.Number(cost, 3), lab.Number(ratio, 3)+" ×", lab.Number(rate, 3))
	}
	return md.String()
}

func (b *bench) bin(name string) string { return filepath.Join(b.cache, "clients", name) }

// build makes the server and the two clients that are ours.
func (b *bench) build(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(b.cache, "clients"), 0o755); err != nil {
		return err
	}
	for _, step := range []struct {
		dir  string
		args []string
	}{
		{".", []string{"gcc", "-O2", "-o", b.bin("limit"), "climit/limit.c"}},
		{".", []string{"gcc", "-O2", "-o", b.bin("load"), "cload/load.c"}},
		{"..", []string{"go", "build", "-o", b.bin("roost"), "./cmd/roost"}},
	} {
		cmd := exec.CommandContext(ctx, step.args[0], step.args[1:]...)
		cmd.Dir = step.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(step.args, " "), err, out)
		}
	}
	return nil
}
