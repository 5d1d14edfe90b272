// Package testio is what tests of several packages read and write: programs, by
// pipes, and logs, by several goroutines. Nothing but tests calls it.
package testio

import (
	"io"
	"os/exec"
	"testing"
)

// Start starts cmd with pipes to its standard input and from its standard output.
// The caller closes in, reads out to its end and then waits for cmd.
func Start(t testing.TB, cmd *exec.Cmd) (in io.WriteCloser, out io.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err = cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, out
}
