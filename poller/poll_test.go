//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import "testing"

func TestPollDoesNotBlock(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	must(t, p.Update(near, 0, Readable))
	events := make([]Event, 4)
	if n, err := p.Poll(events); n != 0 || err != nil {
		t.Fatalf("Poll with nothing ready: %d, %v; want 0, nil", n, err)
	}
	send(t, far, "x")
	if n, err := p.Poll(events); n != 1 || err != nil {
		t.Fatalf("Poll with one descriptor ready: %d, %v; want 1, nil", n, err)
	}
}
