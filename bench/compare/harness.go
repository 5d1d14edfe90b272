package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"time"
)

// message is some 64 bytes, and no two alike, as a chat's would be.
const message = `{"user":{{.Conn}},"n":{{.Seq}},"text":"good morning, everybody here"}`

// harness is what is read of a report of roost loadtest echo. Times are ns.
type harness struct {
	Connections struct {
		Opened   int `json:"opened"`
		Lost     int `json:"lost"`
		Deflated int `json:"deflated"`
	} `json:"connections"`
	Harness struct {
		Cores float64 `json:"cores"`
	} `json:"harness"`
	Echo struct {
		PerSecond float64 `json:"per_second"`
		Latency   struct {
			P50  float64 `json:"p50_ns"`
			P90  float64 `json:"p90_ns"`
			P99  float64 `json:"p99_ns"`
			P999 float64 `json:"p999_ns"`
			Max  float64 `json:"max_ns"`
		} `json:"latency"`
		ServerCPU struct {
			Cores      float64 `json:"cores"`
			PerMessage float64 `json:"per_message_ns"`
		} `json:"server_cpu"`
	} `json:"echo"`
}

// loadByHarness drives the server with roost loadtest, which has TLS and a
// compressor, costs more than the load in C, and shares no engine with roost echo.
func loadByHarness(ctx context.Context, o options, w work, port, pid int) (report, error) {
	addr := "127.0.0.1:" + strconv.Itoa(port)
	if err := listening(ctx, addr); err != nil {
		return report{}, err
	}
	scheme := "ws"
	if w.TLS {
		scheme = "wss"
	}
	argv := []string{"-c", o.loadCPU, o.cache + "/bin/harness", "loadtest", "echo", scheme + "://" + addr + "/",
		"--conns", strconv.Itoa(w.counts[0]), "--dialing", "32", "--text", "--message", message, "--warmup", "1s",
		"--duration", strconv.FormatFloat(o.seconds, 'f', -1, 64) + "s", "--server-pid", strconv.Itoa(pid), "--json", "--quiet"}
	if w.TLS {
		argv = append(argv, "--insecure")
	}
	if w.Deflate {
		argv = append(argv, "--deflate")
	}
	out, err := output(exec.CommandContext(ctx, "taskset", argv...))
	if err != nil {
		return report{}, err
	}
	var h harness
	if err := json.Unmarshal(out, &h); err != nil {
		return report{}, fmt.Errorf("loadtest printed %q: %w", out, err)
	}
	if w.Deflate && h.Connections.Deflated != w.counts[0] {
		return report{}, fmt.Errorf("%d of %d connections agreed on permessage-deflate", h.Connections.Deflated, w.counts[0])
	}
	if h.Connections.Opened != w.counts[0] || h.Connections.Lost > 0 || h.Echo.PerSecond == 0 {
		return report{}, fmt.Errorf("%d of %d connections opened, %d were lost, %.0f messages a second", h.Connections.Opened, w.counts[0],
			h.Connections.Lost, h.Echo.PerSecond)
	}
	l := &h.Echo.Latency
	return report{
		PerSecond: h.Echo.PerSecond, CPU: h.Echo.ServerCPU.PerMessage / 1e3,
		ServerPct: 100 * h.Echo.ServerCPU.Cores, LoadPct: 100 * h.Harness.Cores,
		RTT: &Times{P50: l.P50 / 1e3, P90: l.P90 / 1e3, P99: l.P99 / 1e3, P999: l.P999 / 1e3, Max: l.Max / 1e3},
	}, nil
}

// listening waits for a server that starts.
func listening(ctx context.Context, addr string) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}
