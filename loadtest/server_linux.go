package loadtest

import (
	"bufio"
	"encoding/hex"
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
