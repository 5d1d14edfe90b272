package loadtest

import (
	"os"
	"strconv"
	"strings"
)

// readKernelMemory adds what the slab allocator has (/proc/meminfo; sockets,
// inodes, dentries, epoll's items) and the pages of TCP's buffers
// (/proc/net/sockstat). Objects by cache are root's to see (/proc/slabinfo).
func readKernelMemory() kernelMemory {
	k := kernelMemory{bytes: -1}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return k
	}
	slab := procField(text, "Slab:")
	if slab < 0 {
		return k
	}
	k.bytes = slab<<10 + tcpPages()*int64(os.Getpagesize())
	k.caches = slabCaches()
	return k
}

// tcpPages reads "TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 3".
func tcpPages() int64 {
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		for i := 1; f[0] == "TCP:" && i+1 < len(f); i += 2 {
			if f[i] == "mem" {
				n, _ := strconv.ParseInt(f[i+1], 10, 64)
				return n
			}
		}
	}
	return 0
}

// slabCaches reads "name active_objs num_objs objsize …" (slabinfo(5)).
func slabCaches() map[string]slabCache {
	text, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return nil
	}
	all := make(map[string]slabCache)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		objects, err1 := strconv.ParseInt(f[1], 10, 64)
		size, err2 := strconv.ParseInt(f[3], 10, 64)
		if err1 == nil && err2 == nil {
			all[f[0]] = slabCache{objects, size}
		}
	}
	return all
}
