package loadtest

import (
	"io"
	"os"
	"strconv"
	"strings"
)

// kernelProbe holds the files open that tell of the kernel's memory: at the
// descriptor limit it would be too late to open them.
type kernelProbe struct{ meminfo, sockstat, slabinfo *os.File }

func openKernelProbe() *kernelProbe {
	open := func(name string) *os.File {
		f, err := os.Open(name)
		if err != nil {
			return nil // slabinfo is root's to see; what cannot be read is left out
		}
		return f
	}
	return &kernelProbe{open("/proc/meminfo"), open("/proc/net/sockstat"), open("/proc/slabinfo")}
}

func (p *kernelProbe) close() {
	for _, f := range []*os.File{p.meminfo, p.sockstat, p.slabinfo} {
		if f != nil {
			_ = f.Close()
		}
	}
}

func (p *kernelProbe) read() kernelMemory {
	slab, buffers := p.totals()
	return kernelMemory{slab: slab, buffers: max(0, buffers), caches: slabCaches(content(p.slabinfo))}
}

// totals are the bytes of the whole slab allocator and of TCP's buffers, each -1 when unknown.
func (p *kernelProbe) totals() (slab, buffers int64) {
	slab, buffers = procKilobytes([]byte(content(p.meminfo)), "Slab:"), -1
	if text := content(p.sockstat); text != "" {
		buffers = tcpPages(text) * int64(os.Getpagesize())
	}
	return slab, buffers
}

func (p *kernelProbe) cgroup(stat *os.File) *CgroupMemory { return cgroupMemory(content(stat)) }

// maxProcFile is more than any of them is long.
const maxProcFile = 1 << 20

// content is the whole of a file of /proc, "" when it cannot be read.
func content(f *os.File) string {
	if f == nil {
		return ""
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxProcFile))
	if err != nil {
		return ""
	}
	return string(text)
}

// tcpPages finds mem in "TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 3".
func tcpPages(sockstat string) int64 {
	for line := range strings.Lines(sockstat) {
		f := strings.Fields(line)
		for i := 1; i+1 < len(f) && f[0] == "TCP:"; i += 2 {
			if n, err := strconv.ParseInt(f[i+1], 10, 64); err == nil && f[i] == "mem" {
				return n
			}
		}
	}
	return 0
}

// slabCaches reads lines of "name active_objs num_objs objsize …" (slabinfo(5)).
func slabCaches(slabinfo string) map[string]slabCache {
	all := make(map[string]slabCache)
	for line := range strings.Lines(slabinfo) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		objects, err1 := strconv.ParseInt(f[1], 10, 64)
		size, err2 := strconv.ParseInt(f[3], 10, 64)
		if err1 == nil && err2 == nil { // the two head lines are others
			all[f[0]] = slabCache{objects, size}
		}
	}
	return all
}
