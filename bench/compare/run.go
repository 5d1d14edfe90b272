package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A Sample is one run of one work against one fresh server.
type Sample struct {
	Server string `json:"server"`
	Work   string `json:"work"`
	Round  int    `json:"round"`

	PerSecond float64 `json:"per_second,omitempty"` // units done a second
	CPU       float64 `json:"cpu_us,omitempty"`     // µs of the server's CPU a unit
	ServerPct float64 `json:"server_cpu_pct,omitempty"`
	LoadPct   float64 `json:"load_cpu_pct,omitempty"`
	Times     *Times  `json:"times_us,omitempty"`
	Bytes     float64 `json:"bytes_per_conn,omitempty"` // growth of resident anonymous memory, idle work only
	Error     string  `json:"error,omitempty"`
}

// Times are µs from a send to its answer, from a broadcast to a delivery, or
// from a connect to the upgrade's answer.
type Times struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// report is the load's line of JSON.
type report struct {
	PerSecond float64 `json:"per_second"`
	CPU       float64 `json:"server_cpu_us"`
	ServerPct float64 `json:"server_cpu_pct"`
	LoadPct   float64 `json:"load_cpu_pct"`
	RTT       *Times  `json:"rtt_us"`
	Delivery  *Times  `json:"delivery_us"`
	Upgrade   *Times  `json:"upgrade_us"`
	Bytes     float64 `json:"anon_per_conn"`
}

func (s Sample) String() string {
	switch {
	case s.Error != "":
		return "failed: " + s.Error
	case s.Bytes != 0:
		return fmt.Sprintf("%8.0f B a connection", s.Bytes)
	}
	return fmt.Sprintf("%8.3f µs  %9.0f/s  server %.0f %%, load %.0f %%", s.CPU, s.PerSecond, s.ServerPct, s.LoadPct)
}

// runOnce starts s, loads it with w, and ends it.
func runOnce(ctx context.Context, o options, s server, w work, port int) Sample {
	sample := Sample{Server: s.Name, Work: w.Name}
	argv := s.command(o, "127.0.0.1:"+strconv.Itoa(port), w)
	var serverLog bytes.Buffer
	// taskset becomes the server (execve), so its process id is the server's.
	cmd := exec.Command("taskset", append([]string{"-c", o.serverCPU}, argv...)...)
	cmd.Stderr = &serverLog
	if err := cmd.Start(); err != nil {
		sample.Error = err.Error()
		return sample
	}
	r, err := load(ctx, o, w, port, cmd.Process.Pid)
	// Killed, not asked: nothing is to be kept, and a drain would cost its grace.
	killErr := cmd.Process.Kill()
	_ = cmd.Wait() // reports the kill
	if err != nil {
		sample.Error = strings.TrimSpace(err.Error() + "; server: " + tail(serverLog.String()))
		return sample
	}
	if killErr != nil {
		sample.Error = "the server ended by itself: " + tail(serverLog.String())
		return sample
	}
	sample.PerSecond, sample.CPU, sample.ServerPct, sample.LoadPct = r.PerSecond, r.CPU, r.ServerPct, r.LoadPct
	for _, t := range []*Times{r.RTT, r.Delivery, r.Upgrade} {
		if t != nil {
			sample.Times = t
		}
	}
	if w.Idle {
		sample.Bytes = r.Bytes
	}
	return sample
}

func load(ctx context.Context, o options, w work, port, pid int) (report, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.seconds*float64(time.Second))+time.Minute)
	defer cancel()
	switch w.mode {
	case byHarness:
		return loadByHarness(ctx, o, w, port, pid)
	case byTLS:
		return idleTLS(ctx, w, port, pid)
	}
	args := append([]string{"-c", o.loadCPU, o.cache + "/bin/load", "-p", strconv.Itoa(pid)}, w.args(port, o.seconds)...)
	var r report
	out, err := output(exec.CommandContext(ctx, "taskset", args...))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("load printed %q: %w", out, err)
	}
	return r, nil
}

// output is what cmd prints; its error has what cmd complained of.
func output(cmd *exec.Cmd) ([]byte, error) {
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, tail(complaint.String()))
	}
	return out, nil
}

// tail keeps the end of a log, where the reason is.
func tail(s string) string {
	const most = 300
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-most):]
}
