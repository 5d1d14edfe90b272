//go:build unix

package loadtest

import (
	"time"

	"golang.org/x/sys/unix"
)

// ownCPU is what this process has used (getrusage(2)).
func ownCPU() cpuTimes {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return cpuTimes{}
	}
	system := time.Duration(r.Stime.Nano())
	return cpuTimes{total: time.Duration(r.Utime.Nano()) + system, system: system}
}

// maxDescriptors raises this process's limit of open files to what it may be, and
// returns it; 0 when unknown.
func maxDescriptors() uint64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	if r.Cur < r.Max {
		raised := unix.Rlimit{Cur: r.Max, Max: r.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err == nil {
			r.Cur = r.Max
		}
	}
	return uint64(r.Cur)
}
