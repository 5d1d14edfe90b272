//go:build !unix

package main

import (
	"fmt"
	"os"
	"strings"
)

// signalNamed knows the one that there is everywhere.
func signalNamed(name string) (os.Signal, error) {
	if strings.TrimPrefix(strings.ToUpper(name), "SIG") == "KILL" {
		return os.Kill, nil
	}
	return nil, fmt.Errorf("--signal %q: this system has only KILL", name)
}
