//go:build unix && !linux

package team

import (
	"os/exec"
	"syscall"
)

// detach keeps a terminal's Ctrl-C from the helper, which its leader ends.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
