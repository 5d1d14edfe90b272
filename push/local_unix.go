//go:build unix

package push

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkPrivate refuses a file or folder that another user owns or may use.
func checkPrivate(path string, stat func(string) (fs.FileInfo, error)) error {
	info, err := stat(path)
	if err != nil {
		return fmt.Errorf("push: read credentials: %w", err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("push: %s is a symbolic link and must not be: delete it", path)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("push: %s belongs to another user than %d: delete it", path, os.Geteuid())
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("push: %s has mode %#o and others could use it: chmod go= %s", path, perm, path)
	}
	return nil
}

// running reports whether the process exists (kill(2) with signal 0); EPERM
// means that it does, as another user.
func running(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
