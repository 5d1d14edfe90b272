//go:build !linux

package loadtest

import (
	"net/netip"
	"time"
)

// Other systems show other processes' figures in ways of their own; none is
// read, and reports leave out what they would tell.

type procFile struct{}

func (*procFile) close()     {}
func (*procFile) rss() int64 { return -1 }

func processCPU(int) (time.Duration, bool) { return 0, false }
func openMemory(int) *procFile             { return nil }
func listeners(netip.AddrPort) []int       { return nil }

type kernelProbe struct{}

func openKernelProbe() *kernelProbe     { return &kernelProbe{} }
func (*kernelProbe) close()             {}
func (*kernelProbe) read() kernelMemory { return kernelMemory{slab: -1} }
