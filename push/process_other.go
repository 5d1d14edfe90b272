//go:build !unix

package push

import "time"

// cpuTime returns 0: it can't be told here.
func cpuTime() time.Duration { return 0 }
