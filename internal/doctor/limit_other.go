//go:build !unix

package doctor

func hardLimit() int64 { return -1 }
