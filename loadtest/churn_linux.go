package loadtest

import (
	"fmt"
	"os"
)

// openDescriptors is how many another process has, -1 when unknown.
func openDescriptors(pid int) int {
	dir, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return -1
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return -1
	}
	return len(names)
}
