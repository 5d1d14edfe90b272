//go:build !linux

package loadtest

import (
	"net/netip"
	"os"
	"time"
)

// Other systems show other processes' figures in ways of their own; none is
// read, and reports leave out what they would tell.

type procFile struct{}

func (*procFile) close()                     {}
func (*procFile) resident() (rss, pss int64) { return -1, -1 }

func processCPU(int) (time.Duration, bool) { return 0, false }
func openMemory(int) *procFile             { return nil }
func openCgroup(int) *os.File              { return nil }
func descriptorsOf(int) int                { return -1 }
func listeners(netip.AddrPort) []int       { return nil }

type kernelProbe struct{}

func openKernelProbe() *kernelProbe                { return &kernelProbe{} }
func (*kernelProbe) close()                        {}
func (*kernelProbe) read() kernelMemory            { return kernelMemory{slab: -1, buffers: -1} }
func (*kernelProbe) totals() (slab, buffers int64) { return -1, -1 }
func (*kernelProbe) cgroup(*os.File) *CgroupMemory { return nil }
