//go:build unix

package engine

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The accept queue is as long as asked for; of a listening socket the kernel tells in
// tcpi_sacked (tcp_get_info).
func TestBacklogReachesTheKernel(t *testing.T) {
	t.Parallel()
	for _, want := range []int{7, 100} {
		s := serve(t, ServerOptions{Backlog: want})
		info, err := unix.GetsockoptTCPInfo(s.listeners[0].fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if int(info.Sacked) != want {
			t.Errorf("backlog %d, want %d", info.Sacked, want)
		}
	}
}
