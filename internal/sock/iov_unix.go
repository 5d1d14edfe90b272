//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sock

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxIOV is the most slices that one Writev may carry: what POSIX systems
// allow (IOV_MAX is 1024 on all of them), well above what pays.
const MaxIOV = 64

// IOV is one slice of a Writev (struct iovec, writev(2)).
type IOV = unix.Iovec

// Vec appends p to iov; empty slices are left out. p must stay as it is until
// the Writev returned.
func Vec(iov []IOV, p []byte) []IOV {
	if len(p) == 0 {
		return iov
	}
	v := IOV{Base: unsafe.SliceData(p)}
	v.SetLen(len(p))
	return append(iov, v)
}
