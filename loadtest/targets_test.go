//go:build unix

package loadtest

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/roost-ws/roost/internal/sock"
)

func TestConnectionsTakeTurnsOverTargets(t *testing.T) {
	a, b := serve(t, echoAll), serve(t, echoAll)
	r := runIdle(t, Idle{Options: Options{URL: a, More: []string{b, "ws://127.0.0.1:1/"}, Conns: 31, Loops: 2}, Verify: true})
	if r.Idle.Verified.Echoed != 21 || len(r.Targets) != 3 || r.URL != a+","+b+",ws://127.0.0.1:1/" {
		t.Fatalf("%d echoed, URL %s, targets %+v", r.Idle.Verified.Echoed, r.URL, r.Targets)
	}
	for i, want := range []Target{{Wanted: 11, Opened: 11}, {Wanted: 10, Opened: 10}, {Wanted: 10, Failed: 10}} {
		got := r.Targets[i]
		got.URL, got.Address = "", ""
		if got != want {
			t.Errorf("target %d: %+v, want %+v", i, got, want)
		}
	}
	whole, err := Merge([]*Report{r, r})
	must(t, err)
	if whole.Targets[2].Failed != 20 {
		t.Errorf("merged targets %+v", whole.Targets)
	}
}

func TestTargetsAreAllPlainOrAllSecure(t *testing.T) {
	_, err := Idle{Options: Options{URL: "ws://127.0.0.1:1/", More: []string{"wss://127.0.0.1:1/"}, Conns: 1}}.Run(t.Context())
	if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "all URLs with TLS, or none") {
		t.Errorf("error %v", err)
	}
}

func TestURLsAreSplitWhereTheyBegin(t *testing.T) {
	got := SplitURLs("ws://a/?x=1,2,wss://b/,ws://c")
	if want := []string{"ws://a/?x=1,2", "wss://b/", "ws://c"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// One local port may serve several destinations, so that source addresses are not
// used up by the first.
func TestSourceAddressesLeaveThePortToConnect(t *testing.T) {
	a, b := serve(t, echoAll), serve(t, echoAll)
	r := runIdle(t, Idle{Options: Options{URL: a, More: []string{b}, Conns: 40, Sources: sourcesOf(t, "127.0.0.2-127.0.0.5")}, Verify: true})
	noFailures(t, r)
	if r.Idle.Verified.Echoed != 40 {
		t.Errorf("%d echoed", r.Idle.Verified.Echoed)
	}
	addr, err := netip.ParseAddrPort(strings.Trim(strings.TrimPrefix(a, "ws://"), "/"))
	must(t, err)
	fd, err := sock.Connect(addr, netip.MustParseAddrPort("127.0.0.2:0"))
	must(t, err)
	defer sock.Close(fd)
	if set, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, bindNoPort); bindNoPort > 0 && (err != nil || set != 1) {
		t.Errorf("IP_BIND_ADDRESS_NO_PORT is %d: %v", set, err)
	}
}

func sourcesOf(t *testing.T, list string) []netip.Addr {
	t.Helper()
	all, err := ParseSources(list)
	must(t, err)
	return all
}
