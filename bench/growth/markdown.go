//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/roost-ws/roost/bench/internal/lab"
)

// Results are everything that growth.md is made from.
type Results struct {
	Date     string        `json:"date"`
	Machine  string        `json:"machine"`
	Setup    string        `json:"setup"`
	Revision string        `json:"revision"`
	Heart    time.Duration `json:"heart_ns"`
	Samples  []Sample      `json:"samples"`
	Beats    []Beat        `json:"beats,omitempty"`
}

func (r *Results) markdown() string {
	var md strings.Builder
	fmt.Fprintf(&md, "# What more connections cost\n\n%s; %s; %s; Roost %s. In bench/: `go run ./growth`.\n", r.Date, r.Machine, r.Setup, r.Revision)
	fmt.Fprintf(&md, "\n%d connections carry the load, all others are idle. CPU is the servers', in µs a message of 64 B, and a connection with its upgrade "+
		"and end; a wake-up is the time from a lone message to its echo, after a pause. In brackets: the median of the rounds' ratios to the first line. "+
		"Above %d connections there are several processes, with a load each. *limit* is the floor in C: what grows there is the kernel's.\n\n", active, share)
	lab.Head(&md, "server", "connections", "processes", "echo µs", "handshake µs", "wake-up p50 µs", "wake-up p99 µs")
	seen := make(map[string]bool)
	for _, s := range r.Samples {
		key := fmt.Sprint(s.Server, s.Conns)
		if seen[key] {
			continue
		}
		seen[key] = true
		cells := []string{s.Server, lab.Number(float64(s.Conns), 9), fmt.Sprint(s.Processes)}
		for _, value := range []func(Sample) float64{
			func(s Sample) float64 { return s.Echo }, func(s Sample) float64 { return s.Handshake },
			func(s Sample) float64 { return s.Wake }, func(s Sample) float64 { return s.WakeP99 },
		} {
			cells = append(cells, r.cell(s, value))
		}
		lab.Row(&md, cells...)
	}
	r.collector(&md)
	r.beats(&md)
	return md.String()
}

// cell is a median, and that of its ratios to the fewest connections of the same
// server in the same round.
func (r *Results) cell(of Sample, value func(Sample) float64) string {
	var list, ratios []float64
	base := make(map[int]float64)
	for _, s := range r.Samples {
		if s.Server != of.Server {
			continue
		}
		if _, ok := base[s.Round]; !ok {
			base[s.Round] = value(s) // sizes come in their order
		}
		if s.Conns == of.Conns {
			list, ratios = append(list, value(s)), append(ratios, value(s)/base[s.Round])
		}
	}
	v, _ := lab.Median(list)
	ratio, _ := lab.Median(ratios)
	return fmt.Sprintf("%s (%.2f ×)", lab.Number(v, 3), ratio)
}

func (r *Results) collector(md *strings.Builder) {
	md.WriteString("\n## The collector\n\nOf one process with its share of the connections: the longest pause of all its collections, and the CPU that one forced " +
		"collection took (medians of the rounds).\n\n")
	lab.Head(md, "connections", "in the process", "longest pause µs", "CPU ms a collection", "live heap MB")
	seen := make(map[int]bool)
	for _, s := range r.Samples {
		if s.Collector == nil || seen[s.Conns] {
			continue
		}
		seen[s.Conns] = true
		var pause, cpu, heap []float64
		for _, o := range r.Samples {
			if o.Conns == s.Conns && o.Collector != nil {
				pause, cpu, heap = append(pause, o.Collector.Pause), append(cpu, o.Collector.CPU), append(heap, o.Collector.Heap)
			}
		}
		p, _ := lab.Median(pause)
		c, _ := lab.Median(cpu)
		h, _ := lab.Median(heap)
		lab.Row(md, lab.Number(float64(s.Conns), 9), lab.Number(float64((s.Conns-active)/s.Processes), 9), lab.Number(p, 3), lab.Number(c, 3), lab.Number(h, 3))
	}
}

func (r *Results) beats(md *strings.Builder) {
	if len(r.Beats) == 0 {
		return
	}
	fmt.Fprintf(md, "\n## Heartbeats\n\nA ping and its pong every %v for each idle connection: the servers' CPU over one interval.\n\n", r.Heart)
	lab.Head(md, "connections", "cores", "µs a heartbeat", "cores for a million at this")
	for _, b := range r.Beats {
		each := b.Cores * r.Heart.Seconds() / float64(b.Conns)
		lab.Row(md, lab.Number(float64(b.Conns), 9), lab.Number(b.Cores, 3), lab.Number(1e6*each, 3), lab.Number(1e6*each/r.Heart.Seconds(), 2))
	}
}
