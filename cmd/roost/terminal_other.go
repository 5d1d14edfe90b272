//go:build !unix

package main

import "os"

// ownsTerminal reports whether f is a terminal that can be drawn on.
func ownsTerminal(f *os.File) bool {
	for _, t := range []*os.File{f, os.Stdin} {
		info, err := t.Stat()
		if err != nil || info.Mode()&os.ModeCharDevice == 0 {
			return false
		}
	}
	return true
}
