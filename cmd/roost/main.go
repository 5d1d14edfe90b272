// Roost holds many WebSocket connections and wakes only for those that speak.
// This command is its front door: flags, signals, exit codes and what is
// printed. Whatever a library user would need lives in the packages below it.
package main

import (
	"os"

	"github.com/panjf2000/ants/v2"
)

func main() {
	// Importing ants starts a pool of its own that nobody here uses, and that wakes the
	// process three times a second. Another program may use it: no package releases it.
	ants.Release()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
