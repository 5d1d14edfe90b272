// Roost holds many WebSocket connections and wakes only for those that speak.
// This command is its front door: flags, signals, exit codes and what is
// printed. Whatever a library user would need lives in the packages below it.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
