package loadtest

import (
	"net/netip"
	"os"
	"testing"
	"time"
)

func TestAddressesOfProcNet(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000:0016":                         "0.0.0.0:22",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:1F90": "[::ffff:127.0.0.1]:8080",
	} {
		got, ok := procAddr(text)
		if !ok || got != netip.MustParseAddrPort(want) {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	if _, ok := procAddr("local_address"); ok {
		t.Error("the head line is no address")
	}
}

func TestWildcardsListenForTheirFamily(t *testing.T) {
	for _, c := range []struct {
		local, addr string
		want        bool
	}{
		{"0.0.0.0:80", "127.0.0.1:80", true},
		{"[::]:80", "127.0.0.1:80", true},
		{"[::]:80", "[::1]:80", true},
		{"0.0.0.0:80", "[::1]:80", false},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.2:80", "127.0.0.1:80", false},
		{"[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
	} {
		if got := listensFor(netip.MustParseAddrPort(c.local), netip.MustParseAddrPort(c.addr)); got != c.want {
			t.Errorf("%s listens for %s: %v", c.local, c.addr, got)
		}
	}
}

func TestProcessClockRunsWithTheWork(t *testing.T) {
	before, ok := processCPU(os.Getpid())
	if !ok {
		t.Fatal("own process has no clock")
	}
	for begun := ownCPU().total; ownCPU().total-begun < 20*time.Millisecond; {
	}
	after, _ := processCPU(os.Getpid())
	if used := after - before; used < 15*time.Millisecond || used > 2*time.Second {
		t.Errorf("%v used, want about 20 ms", used)
	}
	if _, ok := processCPU(1 << 22); ok {
		t.Error("a process that is not there has a clock")
	}
}

func TestKernelFiguresAreFoundInTheirText(t *testing.T) {
	if n := tcpPages("sockets: used 32\nTCP: inuse 16 orphan 0 tw 10 alloc 16 mem 7\nUDP: inuse 0 mem 9\n"); n != 7 {
		t.Errorf("%d pages, want 7", n)
	}
	caches := slabCaches("slabinfo - version: 2.1\n# name  <active_objs> <num_objs> <objsize>\nTCP  12  24  2368 13 8 : tunables 0\n")
	if len(caches) != 1 || caches["TCP"] != (slabCache{12, 2368}) {
		t.Errorf("caches %v", caches)
	}
}
