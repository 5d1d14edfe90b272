package push

import (
	"testing"
	"unsafe"
)

// Beside the engine's Conn and a word in the directory, this is all that an idle
// client costs.
func TestASessionIsSmall(t *testing.T) {
	const most = 80 // a size class of Go's
	if n := unsafe.Sizeof(session{}); unsafe.Sizeof(uintptr(0)) == 8 && n > most {
		t.Errorf("a session has %d bytes, more than %d", n, most)
	}
}
