//go:build !linux

package loadtest

func descriptorLimit(int) uint64 { return 0 }
func portRange() (low, high int) { return 0, 0 }
func sysctl(string) int          { return 0 }
