package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed guest.sh
var guestScript string

// serverFlags: a million handshakes by one slow processor may take longer than
// the default allows, and the collector's room above the live heap is part of
// the resident memory that is measured.
const serverFlags = "--backlog 4096 --handshake-timeout 2m --gc-percent 25"

// clientFlags: 60 addresses, so that connect(2) finds a free port at once.
const clientFlags = "--source-ip 127.0.0.2-127.0.0.61 --dialing 256 --timeout 2m --hold 10s --verify"

// runGuest boots the guest, whose script does the rest, and reads what that left.
func (b *bench) runGuest(ctx context.Context) error {
	if b.read {
		return b.readGuest()
	}
	kernel, err := exec.LookPath("linux.uml")
	if err != nil {
		return fmt.Errorf("%w: apt-get install user-mode-linux", err)
	}
	for _, name := range guestFiles {
		if err := os.Remove(filepath.Join(b.cache, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	script := filepath.Join(b.cache, "guest.sh")
	if err := os.WriteFile(script, []byte(b.guestHeader()+guestScript), 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go b.follow(ctx)
	cmd := exec.CommandContext(ctx, "nice", kernel, "mem="+b.mem, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw",
		"init="+script, "con=null", "con0=null,fd:1", "quiet")
	// Each process of the guest is one of this machine's, in the same group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("ended after %d of %d connections: %w", b.lastSample().Sockets/2, b.conns, ctx.Err())
	}
	if errGuest := b.readGuest(); errGuest != nil {
		return fmt.Errorf("guest: %w (it ended with %w)\n%s", errGuest, err, out)
	}
	return nil
}

// guestFiles are what the guest leaves in the cache.
var guestFiles = []string{"samples", "report.json", "ended", "kernel", "server.out", "server.err", "client.err"}

func (b *bench) guestHeader() string {
	var s strings.Builder
	s.WriteString("#!/bin/bash\n")
	for _, v := range [][2]string{
		{"PATH", os.Getenv("PATH")}, {"WORK", b.cache}, {"ROOST", b.roostBin}, {"CONNS", strconv.Itoa(b.conns)},
		{"SERVER_FLAGS", serverFlags}, {"CLIENT_FLAGS", clientFlags}, {"SAMPLE", "5"},
	} {
		fmt.Fprintf(&s, "export %s='%s'\n", v[0], strings.ReplaceAll(v[1], "'", `'\''`))
	}
	return s.String()
}

// follow tells how far the guest is.
func (b *bench) follow(ctx context.Context) {
	for tick := time.NewTicker(30 * time.Second); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			s := b.lastSample()
			log.Printf("%d connections, server %d MB, kernel slab %d MB, %d MB left",
				s.Sockets/2, s.RSS>>20, s.Slab>>20, s.Left>>20)
		}
	}
}

func (b *bench) lastSample() sample {
	all := b.samples()
	if len(all) == 0 {
		return sample{}
	}
	return all[len(all)-1]
}

// samples reads the lines that the guest has written so far.
func (b *bench) samples() (all []sample) {
	text, err := os.ReadFile(filepath.Join(b.cache, "samples"))
	if err != nil {
		return nil // it has not booted yet
	}
	for line := range strings.Lines(string(text)) {
		var s sample
		if n, _ := fmt.Sscan(line, &s.Seconds, &s.Sockets, &s.RSS, &s.Slab, &s.Left); n == 5 {
			s.RSS, s.Slab, s.Left = s.RSS<<10, s.Slab<<10, s.Left<<10
			all = append(all, s)
		}
	}
	return all
}

func (b *bench) readGuest() error {
	g := &guest{record: b.record, Memory: b.mem, ServerFlags: serverFlags, ClientFlags: clientFlags}
	kernel, err := os.ReadFile(filepath.Join(b.cache, "kernel"))
	if err != nil {
		return err
	}
	g.Kernel = strings.TrimSpace(string(kernel))
	text, err := os.ReadFile(filepath.Join(b.cache, "report.json"))
	if err != nil {
		complaint, _ := os.ReadFile(filepath.Join(b.cache, "client.err"))
		return fmt.Errorf("%w: %s", err, complaint)
	}
	if err := json.Unmarshal(text, &g.Report); err != nil {
		return err
	}
	g.Date = date(g.Report.Started)
	opening := untilClosing(b.samples())
	g.Samples = thin(opening, 40)
	for _, s := range opening {
		g.PeakRSS = max(g.PeakRSS, s.RSS)
	}
	b.results.Guest = g
	return nil
}
