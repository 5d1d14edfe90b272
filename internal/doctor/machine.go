package doctor

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// Machine is what a machine gives. A number below 0 and an empty text are not
// known; on systems other than Linux that is most of them.
type Machine struct {
	Soft, Hard int64 // RLIMIT_NOFILE: of whoever started this process, and its own
	NrOpen     int64 // the most that Hard may be set to
	FileMax    int64 // files of all processes
	FilesUsed  int64
	Watches    int64 // descriptors that one user may have in epoll

	SoMaxConn  int64
	SynBacklog int64
	TCPMem     [3]int64 // pages
	RMem, WMem [3]int64 // bytes: least, default, most

	Tracked    int64 // connections that conntrack holds, 0 when it holds none
	TrackedMax int64

	PortLow, PortHigh int // 0 = not known
	Sources           int // IPv4 addresses, those of loopback apart

	Memory      int64 // bytes
	Available   int64
	CgroupLimit int64 // 0 = none
	HugePages   string
	Governor    string
	Cores       int
}

// ReadMachine reads this machine.
func ReadMachine() *Machine {
	m := newMachine(os.DirFS("/"), os.Getppid())
	m.Hard = hardLimit()
	m.Sources = sources()
	m.Cores = runtime.GOMAXPROCS(0)
	return m
}

// newMachine reads what files tell; parent is the process whose soft limit
// counts, since the Go runtime raises its own.
func newMachine(root fs.FS, parent int) *Machine {
	f := files{root}
	m := &Machine{
		Soft:       f.limit(parent),
		Hard:       -1,
		NrOpen:     f.number("proc/sys/fs/nr_open"),
		FileMax:    f.number("proc/sys/fs/file-max"),
		FilesUsed:  f.numbers("proc/sys/fs/file-nr")[0],
		Watches:    f.number("proc/sys/fs/epoll/max_user_watches"),
		SoMaxConn:  f.number("proc/sys/net/core/somaxconn"),
		SynBacklog: f.number("proc/sys/net/ipv4/tcp_max_syn_backlog"),
		TCPMem:     f.numbers("proc/sys/net/ipv4/tcp_mem"),
		RMem:       f.numbers("proc/sys/net/ipv4/tcp_rmem"),
		WMem:       f.numbers("proc/sys/net/ipv4/tcp_wmem"),
		Tracked:    f.number("proc/sys/net/netfilter/nf_conntrack_count"),
		TrackedMax: f.number("proc/sys/net/netfilter/nf_conntrack_max"),
		Memory:     f.kibibytes("proc/meminfo", "MemTotal:"),
		Available:  f.kibibytes("proc/meminfo", "MemAvailable:"),

		CgroupLimit: f.cgroupLimit(),
		HugePages:   f.chosen("sys/kernel/mm/transparent_hugepage/enabled"),
		Governor:    strings.TrimSpace(f.text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
	}
	if ports := f.numbers("proc/sys/net/ipv4/ip_local_port_range"); ports[1] > 0 {
		m.PortLow, m.PortHigh = int(ports[0]), int(ports[1])
	}
	return m
}

// sources counts the addresses that a client may connect from.
func sources() (n int) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return 1
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			n++
		}
	}
	return max(1, n)
}

// files reads small files; what is not there is empty.
type files struct{ root fs.FS }

func (f files) text(name string) string {
	text, err := fs.ReadFile(f.root, name)
	if err != nil {
		return ""
	}
	return string(text)
}

func (f files) number(name string) int64 { return f.numbers(name)[0] }

func (f files) numbers(name string) [3]int64 {
	all := [3]int64{-1, -1, -1}
	for i, word := range strings.Fields(f.text(name)) {
		if n, ok := parse(word); ok && i < len(all) {
			all[i] = n
		}
	}
	return all
}

// parse reads a number. Those beyond 63 bits, as file-max has by default on
// some systems, mean no limit.
func parse(word string) (int64, bool) {
	n, err := strconv.ParseUint(word, 10, 64)
	return int64(min(n, noLimit)), err == nil
}

// noLimit is above all limits that mean something.
const noLimit = 1 << 60

func (f files) kibibytes(name, field string) int64 {
	_, rest, _ := strings.Cut(f.text(name), field)
	words := strings.Fields(rest)
	if len(words) == 0 {
		return -1
	}
	n, ok := parse(words[0])
	if !ok {
		return -1
	}
	return n << 10
}

// chosen is the word in brackets.
func (f files) chosen(name string) string {
	_, rest, _ := strings.Cut(f.text(name), "[")
	word, _, _ := strings.Cut(rest, "]")
	return word
}

// limit is a process's soft limit of open files.
func (f files) limit(pid int) int64 {
	_, rest, _ := bytes.Cut([]byte(f.text(fmt.Sprintf("proc/%d/limits", pid))), []byte("Max open files"))
	words := bytes.Fields(rest)
	if len(words) == 0 {
		return -1
	}
	if string(words[0]) == "unlimited" {
		return noLimit
	}
	n, ok := parse(string(words[0]))
	if !ok {
		return -1
	}
	return n
}

// cgroupLimit is the least memory limit of this process's control group and
// those above it, of either version; 0 when there is none.
func (f files) cgroupLimit() int64 {
	least := int64(noLimit)
	for line := range strings.Lines(f.text("proc/self/cgroup")) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) < 3 {
			continue
		}
		root, name := "sys/fs/cgroup", "memory.max"
		if part[1] == "memory" {
			root, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if part[1] != "" {
			continue
		}
		// In a container the path may be of the host, and the container's own group
		// be at the root.
		for dir := path.Join("/", part[2]); ; dir = path.Dir(dir) {
			if n := f.number(path.Join(root, dir, name)); n > 0 {
				least = min(least, n)
			}
			if dir == "/" {
				break
			}
		}
	}
	if least >= noLimit {
		return 0
	}
	return least
}
