package loadtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

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
		if rss, _ := p.resident(); rss >= 0 {
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

// resident is what the process holds in memory, RSS and PSS in bytes, each -1 when
// the process is gone or it is not ours to see.
func (p *procFile) resident() (rss, pss int64) {
	var buf [4096]byte
	n, _ := p.f.ReadAt(buf[:], 0) // io.EOF is the rule
	if p.rollup {
		return procKilobytes(buf[:n], "Rss:"), procKilobytes(buf[:n], "Pss:")
	}
	return statmResident(buf[:n]), -1
}

// statmResident is the second field of statm, in bytes.
func statmResident(text []byte) int64 {
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return -1
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return -1
	}
	return pages * int64(os.Getpagesize())
}

// procKilobytes is the number after name, in bytes; -1 when there is none.
func procKilobytes(text []byte, name string) int64 {
	if n := procField(text, name); n >= 0 {
		return n << 10
	}
	return -1
}

// procField is the number after name, -1 when there is none.
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

// descriptorsOf counts a process's open descriptors, -1 when that is not ours to see.
// Since Linux 6.2 the folder's size is their number (proc_pid_fd(5)).
func descriptorsOf(pid int) int {
	folder := fmt.Sprintf("/proc/%d/fd", pid)
	info, err := os.Stat(folder)
	if err != nil {
		return -1
	}
	if n := info.Size(); n > 0 {
		return int(n)
	}
	f, err := os.Open(folder)
	if err != nil {
		return -1
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return -1
	}
	return len(names)
}

// openCgroup opens memory.stat of the control group (version 2) that a process is in; nil
// when it is in none but the root's, whose figures are the machine's.
func openCgroup(pid int) *os.File {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil
	}
	group := cgroupPath(string(text))
	if group == "" {
		return nil
	}
	f, err := os.Open(filepath.Join("/sys/fs/cgroup", group, "memory.stat"))
	if err != nil {
		return nil // version 1, or not mounted
	}
	return f
}

// cgroupPath finds the group in "0::/user.slice/a.scope", "" for the root.
func cgroupPath(text string) string {
	for line := range strings.Lines(text) {
		if group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && group != "/" {
			return group
		}
	}
	return ""
}

// cgroupMemory reads the kernel's part of memory.stat (cgroup-v2.rst): all of it, and that of
// sockets' buffers.
func cgroupMemory(stat string) *CgroupMemory {
	m := CgroupMemory{Kernel: procField([]byte(stat), "kernel"), Sock: procField([]byte(stat), "sock")}
	if m.Kernel < 0 && m.Sock < 0 {
		return nil
	}
	return &m
}
