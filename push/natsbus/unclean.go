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

// wentDown reports whether an earlier boot has left its mark.
func wentDown(dir string) (bool, error) {
	found, err := os.ReadFile(filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("natsbus: %w", err)
	}
	return len(found) == 0 || string(found) != bootID(), nil
}

// mark leaves the mark, on the disk. One of an earlier boot must stay until its epoch
// has ended, as this start may fail before and the next one must know.
func mark(dir string) error {
	f, err := os.Create(filepath.Join(dir, markName))
	if err != nil {
		return fmt.Errorf("natsbus: %w", err)
	}
	_, err = f.WriteString(bootID())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("natsbus: mark the folder as in use: %w", err)
	}
	return nil
}

// epochEnded is called when the earlier boot's mark has had its effect.
func (e *Embedded) epochEnded() error {
	e.unclean = false
	if e.sync {
		unmark(e.dir)
		return nil
	}
	return mark(e.dir)
}

// unmark is called when all is on the disk. A mark that stays ends an epoch for
// nothing, and no more.
func unmark(dir string) { _ = os.Remove(filepath.Join(dir, markName)) }
