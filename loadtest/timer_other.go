//go:build !linux

package loadtest

// timer is the poller's own deadline here, which is good to a millisecond.
type timer struct{}

func (timer) open(*loop) error      { return nil }
func (timer) arm(*loop, int64) bool { return false }
func (timer) close()                {}
