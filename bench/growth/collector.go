//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// trace is what the runtime said of its collections (GODEBUG=gctrace=1).
type trace struct {
	Collections int     `json:"collections"` // forced ones, over all connections
	Pause       float64 `json:"pause_us"`    // the longest time that the world stood, all collections
	CPU         float64 `json:"cpu_ms"`      // of one forced collection, on average
	Heap        float64 `json:"heap_mb"`     // live after the last
}

// collect has the first server collect some times over all its connections.
func (t *site) collect(ctx context.Context) (*trace, error) {
	s := t.servers[0]
	const times = 5
	for range times {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+profiles(s.port)+"/debug/pprof/heap?gc=1", nil)
		if err != nil {
			return nil, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if g := parseTrace(s.log.String()); g.Collections >= times {
			return &g, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d collections were asked for, the server's log has: %s", times, s.log.String())
		}
	}
}

// gctrace is a line as in: gc 7 @1.2s 0%: 0.02+1.1+0.01 ms clock, 0.02+0.3/0.5/0+0.01 ms cpu, 4->4->2 MB, …
var gctrace = regexp.MustCompile(`(?m)^gc \d+ @.*: ([\d.]+)\+[\d.]+\+([\d.]+) ms clock, ([\d.]+)\+([\d.]+)/([\d.]+)/([\d.]+)\+([\d.]+) ms cpu, \d+->\d+->(\d+) MB.*$`)

func parseTrace(log string) (g trace) {
	for _, m := range gctrace.FindAllStringSubmatch(log, -1) {
		num := func(i int) float64 { v, _ := strconv.ParseFloat(m[i], 64); return v } // the pattern has digits only
		g.Pause = max(g.Pause, 1000*num(1), 1000*num(2))
		if strings.HasSuffix(m[0], "(forced)") {
			g.Collections++
			g.CPU += num(3) + num(4) + num(5) + num(7) // 6 is what an idle processor gave
			g.Heap = num(8)
		}
	}
	if g.Collections > 0 {
		g.CPU /= float64(g.Collections)
	}
	return g
}
