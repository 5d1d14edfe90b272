//go:build unix

package main

import (
	"log/slog"
	"syscall"
)

// logDescriptorLimit says how many descriptors the process may hold. The Go
// runtime has raised the soft limit to the hard one at the start.
func logDescriptorLimit(log *slog.Logger) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		log.Warn("getrlimit RLIMIT_NOFILE", "err", err)
		return
	}
	log.Debug("descriptor limit", "soft", limit.Cur, "hard", limit.Max)
}
