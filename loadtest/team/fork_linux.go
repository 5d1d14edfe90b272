package team

import (
	"os/exec"
	"syscall"
)

// detach keeps a terminal's Ctrl-C from the helper, which its leader ends, and has it die with
// the thread that starts it (prctl(2), PR_SET_PDEATHSIG).
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
