//go:build !unix

package loadtest

func ownCPU() cpuTimes       { return cpuTimes{} }
func maxDescriptors() uint64 { return 0 }
