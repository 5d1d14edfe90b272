//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// ownsTerminal reports whether f is a terminal that can be drawn on, and that listens to this process:
// one in the background would be stopped when it reads keys (termios(3), SIGTTIN).
func ownsTerminal(f *os.File) bool {
	for _, t := range []*os.File{f, os.Stdin} {
		group, err := unix.IoctlGetInt(int(t.Fd()), unix.TIOCGPGRP)
		if err != nil || group != unix.Getpgrp() {
			return false
		}
	}
	return os.Getenv("TERM") != "dumb"
}
