//go:build unix

package push

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns what this process has used, 0 when that can't be told.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
