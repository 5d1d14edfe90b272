//go:build unix

package doctor

import "golang.org/x/sys/unix"

// hardLimit is RLIMIT_NOFILE's; the Go runtime has raised the soft limit to it.
func hardLimit() int64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return -1
	}
	return int64(min(uint64(l.Max), noLimit))
}
