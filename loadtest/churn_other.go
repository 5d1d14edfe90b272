//go:build !linux

package loadtest

func openDescriptors(int) int { return -1 }
