package loadtest

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processCPU reads the kernel's clock of another process: nanoseconds, threads
// that have ended included, where /proc/pid/stat counts ticks of 10 ms. The clock's
// number is what clock_getcpuclockid(3) computes.
func processCPU(pid int) (time.Duration, bool) {
	const scheduled = 2 // CPUCLOCK_SCHED: time on a processor, of the whole process
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}

// procFile is an open file of /proc, read anew each time.
type procFile struct {
	f      *os.File
	rollup bool
}

// openMemory prefers smaps_rollup: statm lags behind by what each processor has
// not added up yet (64 pages and more).
func openMemory(pid int) *procFile {
	if f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		p := &procFile{f, true}
		if p.rss() >= 0 {
			return p
		}
		p.close()
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return nil
	}
	return &procFile{f, false}
}

func (p *procFile) close() { _ = p.f.Close() }

// rss is resident bytes, -1 when the process is gone or not ours to see.
func (p *procFile) rss() int64 {
	var buf [4096]byte
	n, _ := p.f.ReadAt(buf[:], 0) // io.EOF is the rule
	if p.rollup {
		return procField(buf[:n], "Rss:") << 10
	}
	fields := bytes.Fields(buf[:n])
	if len(fields) < 2 {
		return -1
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return -1
	}
	return pages * int64(os.Getpagesize())
}

// procField is the number after name, -1 << 10 when there is none.
func procField(text []byte, name string) int64 {
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == name {
			if n, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// listeners are the processes that hold a socket which listens on addr. Of those
// of other users it only sees what root sees.
func listeners(addr netip.AddrPort) []int {
	inodes := make(map[string]bool)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, f := range listening(table) {
			if local, ok := procAddr(f[1]); ok && listensFor(local, addr) {
				inodes["socket:["+f[9]+"]"] = true
			}
		}
	}
	if len(inodes) == 0 {
		return nil
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	var pids []int
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && inodes[to] {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// listening returns the fields of a table's listening sockets. The kernel lists them
// first; the connections behind them may be a million.
func listening(table string) (lines [][]string) {
	file, err := os.Open(table)
	if err != nil {
		return nil // a kernel without that family
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	for s.Scan() {
		f := strings.Fields(s.Text())
		switch {
		case len(f) < 10 || f[0] == "sl": // the head line
		case f[3] == "0A": // TCP_LISTEN
			lines = append(lines, f)
		default:
			return lines
		}
	}
	return lines
}

func listensFor(local, addr netip.AddrPort) bool {
	a := local.Addr().Unmap()
	return local.Port() == addr.Port() && (a == addr.Addr() || a.IsUnspecified() && (a.Is6() || addr.Addr().Is4()))
}

// procAddr reads "0100007F:1F90": 32-bit words as the machine has them, so
// little-endian on all that Go runs on but s390x and ppc64.
func procAddr(s string) (netip.AddrPort, bool) {
	ip, port, _ := strings.Cut(s, ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	b, err := hex.DecodeString(ip)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, uint16(number)), ok
}
