//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sock

import (
	"errors"
	"net"
	"net/netip"
)

// MaxIOV is the most slices that one Writev may carry.
const MaxIOV = 64

// IOV is one slice of a Writev.
type IOV struct{ p []byte }

// Vec appends p to iov.
func Vec(iov []IOV, p []byte) []IOV { return append(iov, IOV{p}) }

// No system here has a poller of ours, so no descriptor ever reaches these;
// they exist that programs which can do without Roost's engine still build.

func Listen(netip.AddrPort, Options) (int, error) { return -1, errors.ErrUnsupported }
func Adopt(int, Options) error                    { return errors.ErrUnsupported }
func Connect(_, _ netip.AddrPort) (int, error)    { return -1, errors.ErrUnsupported }
func ConnectBuffered(_, _ netip.AddrPort, _ int) (int, error) {
	return -1, errors.ErrUnsupported
}
func Accept(int) (int, netip.AddrPort, error) { return -1, netip.AddrPort{}, errors.ErrUnsupported }
func Waits(int) bool                          { return false }
func Read(int, []byte) (int, error)           { return 0, errors.ErrUnsupported }
func Write(int, []byte) (int, error)          { return 0, errors.ErrUnsupported }
func Writev(int, []IOV) (int, error)          { return 0, errors.ErrUnsupported }
func Error(int) error                         { return errors.ErrUnsupported }
func Close(int) error                         { return errors.ErrUnsupported }
func Shutdown(int) error                      { return errors.ErrUnsupported }
func Reset(int) error                         { return errors.ErrUnsupported }
func NoDelay(int) error                       { return errors.ErrUnsupported }
func Dup(int) (int, error)                    { return -1, errors.ErrUnsupported }
func Pair() (int, int, error)                 { return -1, -1, errors.ErrUnsupported }
func Local(int) net.Addr                      { return nil }
func Remote(int) net.Addr                     { return nil }
