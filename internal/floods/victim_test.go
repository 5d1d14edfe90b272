//go:build linux

package floods

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-ws/roost/internal/testio"
)

// patience bounds every wait. Only a test that fails ever spends it.
const patience = 20 * time.Second

// victim is a server in a process of its own.
type victim struct {
	t     *testing.T
	addr  string
	pid   int
	in    io.WriteCloser
	lines *bufio.Scanner

	before figures
	worst  int64 // resident bytes
}

// figures are of one moment. Resident memory and descriptors are the kernel's word.
type figures struct {
	state
	resident    int64 // bytes
	descriptors int
}

func attack(t *testing.T, o settings) *victim {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), victimSettings+"="+string(text))
	cmd.Stderr = os.Stderr
	in, out := testio.Start(t, cmd)
	v := &victim{t: t, pid: cmd.Process.Pid, in: in, lines: bufio.NewScanner(out)}
	t.Cleanup(func() {
		in.Close()
		timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended badly: %v", err)
		}
	})
	if !v.lines.Scan() {
		t.Fatal("the server did not start")
	}
	v.addr = v.lines.Text()
	v.before = v.now()
	if _, err := v.resident(); err != nil {
		t.Fatal(err)
	}
	return v
}

// now asks the server and the kernel.
func (v *victim) now() (f figures) {
	v.t.Helper()
	_, err := fmt.Fprintln(v.in, "?")
	if err != nil || !v.lines.Scan() {
		v.t.Fatalf("the server is gone: %v", err)
	}
	if err := json.Unmarshal(v.lines.Bytes(), &f.state); err != nil {
		v.t.Fatal(err)
	}
	if f.resident, err = v.resident(); err != nil {
		v.t.Fatal(err)
	}
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", v.pid))
	if err != nil {
		v.t.Fatal(err)
	}
	f.descriptors = len(list)
	return f
}

// resident is the server's anonymous resident memory, in bytes.
func (v *victim) resident() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "RssAnon:")
	var kb int64
	if _, err := fmt.Sscan(after, &kb); err != nil {
		return 0, err
	}
	v.worst = max(v.worst, kb<<10)
	return kb << 10, nil
}

// watch looks at the server's memory until stop is called, or the test ends.
func (v *victim) watch() (stop func()) {
	end, done := make(chan bool), make(chan bool)
	stop = sync.OnceFunc(func() {
		close(end)
		<-done
	})
	v.t.Cleanup(stop)
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				_, _ = v.resident() // that the server is gone others notice
			}
		}
	}()
	return stop
}

// cpu is the processor time that the server has used.
func (v *victim) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", v.pid))
	if err != nil {
		v.t.Fatal(err)
	}
	ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
	if err != nil {
		v.t.Fatal(err)
	}
	return time.Duration(ns)
}

// until waits for the server's figures to be as ok wants them.
func (v *victim) until(what string, ok func(figures) bool) figures {
	v.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		f := v.now()
		if ok(f) {
			return f
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("waited %v for %s: %+v", patience, what, f)
		}
		time.Sleep(10 * time.Millisecond) // between looks
	}
}

const (
	mib = 1 << 20
	// rest is what a Go heap may keep of a burst: spans that are part in use, pools.
	rest = 8 * mib
	// workers may stay for a while after they were many.
	workers = 16
)

// bound is a limit of memory. The race detector keeps some ten bytes beside each.
func bound(n int64) int64 {
	if raceDetector {
		n *= 16
	}
	return n
}

// recovered waits until all of a flood is given back, and reports it under the name
// of the limit that held.
func (v *victim) recovered(limit string) {
	v.t.Helper()
	f := v.until("all to be given back", func(f figures) bool {
		return f.Conns == 0 && f.descriptors <= v.before.descriptors+1 && f.Goroutines <= v.before.Goroutines+workers
	})
	f = v.now() // its collection came before all were gone
	if f.Heap > v.before.Heap+uint64(bound(rest)) {
		v.t.Errorf("%d KiB of heap before, %d after", v.before.Heap>>10, f.Heap>>10)
	}
	if f.Panics > 0 {
		v.t.Errorf("%d panics", f.Panics)
	}
	v.t.Logf("%s; server's memory: %.1f MiB before, %.1f at worst, %.1f after; descriptors: %d before, %d after", limit,
		float64(v.before.resident)/mib, float64(v.worst)/mib, float64(f.resident)/mib, v.before.descriptors, f.descriptors)
}
