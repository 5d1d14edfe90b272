package loadtest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// descriptorLimit is another process's limit of open files, 0 when unknown.
func descriptorLimit(pid int) uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("Max open files"))
	f := bytes.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseUint(string(f[0]), 10, 64) // "unlimited" is 0 too
	return n
}

// portRange is what connect(2) chooses local ports from; high is 0 when unknown.
func portRange() (low, high int) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, 0
	}
	if _, err := fmt.Sscan(string(text), &low, &high); err != nil {
		return 0, 0
	}
	return low, high
}

// sysctl is a number under /proc/sys, 0 when there is none.
func sysctl(name string) int {
	text, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(string(bytes.TrimSpace(text)))
	return n
}
