//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps signals of the terminal from a command.
func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
