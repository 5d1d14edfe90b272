//go:build !unix

package push

import (
	"fmt"
	"io/fs"
	"os"
)

// checkPrivate checks only that path exists: the user's own folder keeps others
// out here, by access lists that mode bits don't show.
func checkPrivate(path string, stat func(string) (fs.FileInfo, error)) error {
	if _, err := stat(path); err != nil {
		return fmt.Errorf("push: read credentials: %w", err)
	}
	return nil
}

// running reports whether the process exists: opening it fails if not.
func running(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	return p.Release() == nil
}
