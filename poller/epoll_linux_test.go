//go:build !kqueuemodel

package poller

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWakesUntilAWaitAreOneSystemCall(t *testing.T) {
	p := openPoller(t)
	for range 1000 {
		must(t, p.Wake())
	}
	var count [8]byte
	if _, err := unix.Read(p.sys.wakefd, count[:]); err != nil || binary.NativeEndian.Uint64(count[:]) != 1 {
		t.Fatalf("the eventfd holds %v, %v; want 1", count, err)
	}
}
