//go:build linux

package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	//go:embed node.js
	nodeScript []byte
	//go:embed k6.js
	k6Script []byte
	//go:embed tsung.xml
	tsungPlan []byte
)

// client is a load generator. Those that take turns are measured in every round.
type client struct {
	name  string
	turns bool
	run   func(context.Context) (figure, error)
}

// clients are those that are installed, the floor first.
func (b *bench) clients(ctx context.Context) []client {
	all := []client{{"C (bench/cload)", true, b.c}, {"roost loadtest echo", true, b.roost}}
	if dir := filepath.Join(b.cache, "npm-ws"); exists(filepath.Join(dir, "node_modules/ws")) {
		all = append(all, client{"node, npm ws " + version(ctx, filepath.Join(dir, "node_modules/ws/package.json")), false, b.node})
	} else {
		log.Print("left out: npm ws is not in ", dir)
	}
	if k6 := filepath.Join(b.cache, "bin/k6"); exists(k6) {
		all = append(all, client{"k6" + second(ctx, k6, "version"), false, b.k6})
	} else {
		log.Print("left out: there is no ", k6)
	}
	if _, err := exec.LookPath("tsung"); err == nil {
		all = append(all, client{"tsung", false, b.tsung})
	} else {
		log.Print("left out: tsung is not installed")
	}
	return all
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// version is that of an npm package.
func version(_ context.Context, name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	var p struct{ Version string }
	if err := json.Unmarshal(text, &p); err != nil {
		return ""
	}
	return p.Version
}

// second is the second word that a command prints, after a space.
func second(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if f := strings.Fields(string(out)); err == nil && len(f) > 1 {
		return " " + f[1]
	}
	return ""
}

func (b *bench) url() string { return fmt.Sprintf("ws://127.0.0.1:%d/", b.port) }

func (b *bench) c(ctx context.Context) (figure, error) {
	out, _, err := b.output(ctx, nil, b.bin("load"), "echo", "127.0.0.1", strconv.Itoa(b.port), strconv.Itoa(b.conns), "1", strconv.Itoa(b.size), strconv.Itoa(b.seconds))
	if err != nil {
		return figure{}, err
	}
	var r struct {
		PerSecond float64 `json:"per_second"`
		CPU       float64 `json:"load_cpu_pct"`
	}
	err = json.Unmarshal(out, &r)
	return figure{messages: r.PerSecond, cpu: time.Duration(r.CPU / 100 * 1e9), seconds: 1}, err
}

func (b *bench) roost(ctx context.Context) (figure, error) {
	out, _, err := b.output(ctx, nil, b.bin("roost"), "loadtest", "echo", b.url(), "--conns", strconv.Itoa(b.conns), "--inflight", "1", "--size", strconv.Itoa(b.size),
		"--duration", fmt.Sprint(b.seconds, "s"), "--warmup", "1s", "--json", "--quiet")
	if err != nil {
		return figure{}, err
	}
	var r struct {
		Echo struct {
			Messages float64
			Measured time.Duration `json:"measured_ns"`
			CPU      struct {
				Time time.Duration `json:"time_ns"`
			} `json:"client_cpu"`
		}
	}
	err = json.Unmarshal(out, &r)
	return figure{messages: r.Echo.Messages, cpu: r.Echo.CPU.Time, seconds: r.Echo.Measured.Seconds()}, err
}

// script writes what a client is to run, and returns where.
func (b *bench) script(name string, text []byte) (string, error) {
	file := b.bin(name)
	return file, os.WriteFile(file, text, 0o644)
}

func (b *bench) node(ctx context.Context) (figure, error) {
	file, err := b.script("node.js", nodeScript)
	if err != nil {
		return figure{}, err
	}
	env := []string{"NODE_PATH=" + filepath.Join(b.cache, "npm-ws/node_modules")}
	out, _, err := b.output(ctx, env, "node", file, b.url(), strconv.Itoa(b.conns), strconv.Itoa(b.size), "1000", strconv.Itoa(1000*b.seconds))
	if err != nil {
		return figure{}, err
	}
	var r struct {
		Messages float64
		CPU      int64 `json:"cpu_us"`
		Seconds  float64
	}
	err = json.Unmarshal(out, &r)
	return figure{messages: r.Messages, cpu: time.Duration(r.CPU) * time.Microsecond, seconds: r.Seconds}, err
}

func (b *bench) k6(ctx context.Context) (figure, error) {
	file, err := b.script("k6.js", k6Script)
	if err != nil {
		return figure{}, err
	}
	env := []string{"URL=" + b.url(), fmt.Sprint("CONNS=", b.conns), fmt.Sprint("SIZE=", b.size), fmt.Sprint("MILLISECONDS=", 1000*b.seconds)}
	out, cpu, err := b.output(ctx, env, filepath.Join(b.cache, "bin/k6"), "run", "--quiet", "--no-usage-report", file)
	if err != nil {
		return figure{}, err
	}
	var r struct{ Messages float64 }
	err = json.Unmarshal(out[bytes.LastIndexByte(bytes.TrimSpace(out), '\n')+1:], &r)
	return figure{messages: r.Messages, cpu: cpu, seconds: float64(b.seconds)}, err
}

// tsungRequests is a line of tsung's log that has the number of requests so far at its end.
var tsungRequests = regexp.MustCompile(`(?m)^stats: request (\d+) .*$`)

func (b *bench) tsung(ctx context.Context) (figure, error) {
	plan := strings.NewReplacer("@DTD@", "/usr/share/tsung/tsung-1.0.dtd", "@PORT@", strconv.Itoa(b.port), "@SECONDS@", strconv.Itoa(b.seconds+1),
		"@CONNS@", strconv.Itoa(b.conns), "@MESSAGE@", strings.Repeat("Z", b.size)).Replace(string(tsungPlan))
	file, err := b.script("tsung.xml", []byte(plan))
	if err != nil {
		return figure{}, err
	}
	logs, err := os.MkdirTemp(filepath.Join(b.cache, "clients"), "tsung-")
	if err != nil {
		return figure{}, err
	}
	defer os.RemoveAll(logs)
	_, cpu, err := b.output(ctx, []string{"HOME=" + logs}, "tsung", "-n", "-f", file, "-l", logs, "start")
	if err != nil {
		return figure{}, err
	}
	found, err := filepath.Glob(filepath.Join(logs, "*/tsung.log"))
	if err != nil || len(found) == 0 {
		return figure{}, fmt.Errorf("it wrote no log: %w", err)
	}
	text, err := os.ReadFile(found[0])
	f := figure{cpu: cpu, seconds: float64(b.seconds + 1)}
	for _, m := range tsungRequests.FindAllSubmatch(text, -1) {
		n, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return figure{}, err
		}
		f.messages += n // since the line before
	}
	return f, err
}
