//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// signalNamed finds KILL, or SIGKILL, in the system's list.
func signalNamed(name string) (os.Signal, error) {
	if s := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")); s != 0 {
		return s, nil
	}
	return nil, fmt.Errorf("--signal %q: no such signal; write it like KILL or TERM", name)
}
