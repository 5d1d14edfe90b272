package loadtest

import (
	"testing"
	"time"
	"unsafe"
)

func TestConnectionIs32Bytes(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n != 32 {
		t.Errorf("%d bytes", n)
	}
}

func TestSourcesAreAddressesAndRanges(t *testing.T) {
	for list, want := range map[string]int{
		"127.0.0.1": 1, "127.0.0.2-127.0.0.60": 59, "127.0.0.255-127.0.1.1,10.0.0.1": 4, "::1-::3": 3,
	} {
		if got, err := ParseSources(list); err != nil || len(got) != want {
			t.Errorf("%s: %d addresses, %v; want %d", list, len(got), err, want)
		}
	}
	for _, list := range []string{"", "host", "127.0.0.2-127.0.0.1", "127.0.0.1-::1", "10.0.0.0-11.0.0.0", "127.0.0.1-"} {
		if got, err := ParseSources(list); err == nil {
			t.Errorf("%q: %v, want an error", list, got)
		}
	}
}

func TestFiguresAreWrittenForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ns", 999: "999 ns", 5800: "5.80 µs", 58 * time.Microsecond: "58.0 µs", 1500 * time.Millisecond: "1.50 s", 107 * time.Millisecond: "107 ms",
	} {
		if got := span(d); got != want {
			t.Errorf("%d ns: %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := count(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
