package natsbus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A power cut may take the stream's end with it, and its next events would get
// sequences that clients know from others: what they missed would not show. So a
// server that does not fsync each event leaves a mark while it runs, with the boot
// that it runs in. One that finds the mark of an earlier boot begins a new epoch.
// The end of the process alone costs nothing: the kernel has what was written.
const markName = "roost.running"

// bootID is empty where the system has none, and then any mark is an earlier boot's.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id") // random(4)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// mark leaves the mark, on the disk, and reports whether an earlier boot had left
// one. With sync none is needed.
func mark(dir string, sync bool) (unclean bool, err error) {
	path := filepath.Join(dir, markName)
	found, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("natsbus: %w", err)
	}
	unclean = err == nil && (len(found) == 0 || string(found) != bootID())
	if sync {
		return unclean, nil // the one that is there goes with the clean end
	}
	f, err := os.Create(path)
	if err != nil {
		return false, fmt.Errorf("natsbus: %w", err)
	}
	_, err = f.WriteString(bootID())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, fmt.Errorf("natsbus: mark the folder as in use: %w", err)
	}
	return unclean, nil
}

// unmark is called when all is on the disk. A mark that stays ends an epoch for
// nothing, and no more.
func unmark(dir string) { _ = os.Remove(filepath.Join(dir, markName)) }
