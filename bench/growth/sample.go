//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Sample is one server, or some, with so many connections in all.
type Sample struct {
	Server    string  `json:"server"`
	Conns     int     `json:"conns"`
	Processes int     `json:"processes"`
	Round     int     `json:"round"`
	Echo      float64 `json:"echo_us"`      // the servers' CPU a message
	Handshake float64 `json:"handshake_us"` // and a connection with its upgrade and end
	Wake      float64 `json:"wake_p50_us"`  // from a lone message to its echo
	WakeP99   float64 `json:"wake_p99_us"`  //
	Collector *trace  `json:"gc,omitempty"` // of the first server
	Opening   float64 `json:"open_per_second"`
}

func (s Sample) String() string {
	return fmt.Sprintf("%-6s %7d conns, %d processes: echo %.3f µs, handshake %.1f µs, wake-up %.1f µs (p99 %.1f)",
		s.Server, s.Conns, s.Processes, s.Echo, s.Handshake, s.Wake, s.WakeP99)
}

// sample holds all but the active connections idle, and measures with those.
func (o options) sample(ctx context.Context, kind string, conns, port int) (s Sample, err error) {
	s = Sample{Server: kind, Conns: conns, Processes: processes(conns)}
	begun := time.Now()
	t, err := o.open(ctx, kind, conns, conns-active, port, nil, o.holdByC)
	if err != nil {
		return s, err
	}
	defer func() {
		if e := t.close(); err == nil {
			err = e
		}
	}()
	s.Opening = float64(conns-active) / time.Since(begun).Seconds()
	n := len(t.servers)
	if s.Echo, err = t.loads(ctx, "echo", func(i int) []string { return []string{strconv.Itoa(part(active, i, n)), "1", "64"} }); err != nil {
		return s, err
	}
	if s.Handshake, err = t.loads(ctx, "connect", func(i int) []string { return []string{strconv.Itoa(max(1, part(64, i, n)))} }); err != nil {
		return s, err
	}
	if s.Wake, s.WakeP99, err = t.lone(ctx); err != nil || kind != roost {
		return s, err
	}
	s.Collector, err = t.collect(ctx)
	return s, err
}

// part is the i-th of n nearly equal parts.
func part(all, i, n int) int { return all*(i+1)/n - all*i/n }

// loads runs a load for each server at the same time, and returns the µs of all
// servers' CPU for one of what they did.
func (t *site) loads(ctx context.Context, mode string, counts func(i int) []string) (float64, error) {
	var all sync.WaitGroup
	errs, units, spent := make([]error, len(t.servers)), make([]float64, len(t.servers)), 0.0
	each := make([]float64, len(t.servers))
	for i, s := range t.servers {
		all.Go(func() { units[i], each[i], errs[i] = t.load(ctx, s, mode, counts(i)) })
	}
	all.Wait()
	sum := 0.0
	for i := range t.servers {
		if errs[i] != nil {
			return 0, errs[i]
		}
		sum, spent = sum+units[i], spent+units[i]*each[i]
	}
	return spent / sum, nil
}

func (t *site) load(ctx context.Context, s *server, mode string, counts []string) (perSecond, cpu float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(t.o.seconds*float64(time.Second)))
	defer cancel()
	argv := append([]string{"-c", t.o.loadCPU, t.o.cache + "/load", "-p", strconv.Itoa(s.cmd.Process.Pid), mode, "127.0.0.1", strconv.Itoa(s.port)}, counts...)
	cmd := exec.CommandContext(ctx, "taskset", append(argv, strconv.FormatFloat(t.o.seconds, 'f', -1, 64))...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, complaint.String())
	}
	var line struct {
		PerSecond float64 `json:"per_second"`
		CPU       float64 `json:"server_cpu_us"`
	}
	err = json.Unmarshal(out, &line)
	return line.PerSecond, line.CPU, err
}

// A Beat is what heartbeats of idle connections cost.
type Beat struct {
	Conns int     `json:"conns"`
	Cores float64 `json:"cores"` // of all servers
}

// beat watches one whole interval. It begins some time after the last connection
// opened, so that a wheel's slack takes no heartbeat out of it.
func (o options) beat(ctx context.Context, conns, port int) (b Beat, err error) {
	t, err := o.open(ctx, roost, conns, conns, port, []string{"--ping-interval", o.heart.String()}, o.holdByHarness)
	if err != nil {
		return b, err
	}
	defer func() {
		if e := t.close(); err == nil {
			err = e
		}
	}()
	wait := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	wait(o.heart / 6)
	before, err := t.cpu()
	if err != nil {
		return b, err
	}
	begun := time.Now()
	wait(o.heart)
	after, err := t.cpu()
	if err == nil {
		err = ctx.Err()
	}
	return Beat{Conns: conns, Cores: (after - before).Seconds() / time.Since(begun).Seconds()}, err
}
