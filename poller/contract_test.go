//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var interests = []Ready{0, Readable, Writable, Readable | Writable}

func TestReadinessIsReportedBothWays(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	must(t, p.Update(near, 0, Readable))
	expectNothing(t, p)
	send(t, far, "x")
	expect(t, p, near, Readable)
	receive(t, near, "x")

	fill(t, near)
	must(t, p.Update(near, Readable, Writable))
	expectNothing(t, p)
	drain(t, far)
	expect(t, p, near, Writable)
}

func TestAnEventIsReportedOnceUntilNewData(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	must(t, p.Update(near, 0, Readable))
	send(t, far, "first")
	expect(t, p, near, Readable)
	expectNothing(t, p)
	send(t, far, "second") // without the first being read
	expect(t, p, near, Readable)
	expectNothing(t, p)
	receive(t, near, "firstsecond")
	expectNothing(t, p)
	send(t, far, "third")
	expect(t, p, near, Readable)
}

func TestAddReportsPresentReadiness(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	send(t, far, "x")
	must(t, p.Update(near, 0, Readable|Writable))
	expect(t, p, near, Readable|Writable)
	expectNothing(t, p)
}

func TestUpdateGoesFromAnyInterestToAny(t *testing.T) {
	for _, from := range interests {
		for _, to := range interests {
			t.Run(from.String()+" to "+to.String(), func(t *testing.T) {
				p := openPoller(t)
				near, far := pair(t)
				send(t, far, "x") // so both directions are ready throughout
				must(t, p.Update(near, 0, from))
				if from != 0 {
					expect(t, p, near, from)
				}
				must(t, p.Update(near, from, to))
				if to != 0 {
					expect(t, p, near, to)
				}
				expectNothing(t, p)
				if to&Readable != 0 {
					send(t, far, "y")
					expect(t, p, near, Readable)
				}
				must(t, p.Update(near, to, 0))
				send(t, far, "z")
				expectNothing(t, p)
			})
		}
	}
}

func TestReadableIsNotReportedToAWriter(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	fill(t, near)
	must(t, p.Update(near, 0, Writable))
	send(t, far, "x")
	expectNothing(t, p)
}

func TestAPausedDescriptorIsSilentThroughAHangup(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	must(t, p.Update(near, 0, Readable|Writable))
	expect(t, p, near, Writable)
	must(t, p.Update(near, Readable|Writable, 0))
	send(t, far, "last words")
	must(t, unix.Close(far))
	expectNothing(t, p)

	must(t, p.Update(near, 0, Readable))
	expect(t, p, near, hungUp)
	receive(t, near, "last words")
	receive(t, near, "")
}

func TestAWriterHearsOfAHangupOnce(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	fill(t, near)
	must(t, p.Update(near, 0, Writable))
	expectNothing(t, p)
	must(t, unix.Close(far))
	expect(t, p, near, hungUp)
	settle(t, p)
	expectNothing(t, p)
}

func TestAHangupComesWithAllBitsAndTheDataBeforeIt(t *testing.T) {
	for name, hangUp := range map[string]func(fd int) error{
		"close":    unix.Close,
		"shutdown": func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) },
	} {
		t.Run(name, func(t *testing.T) {
			p := openPoller(t)
			near, far := pair(t)
			must(t, p.Update(near, 0, Readable))
			send(t, far, "last words")
			must(t, hangUp(far))
			expect(t, p, near, hungUp)
			receive(t, near, "last words")
			receive(t, near, "")
			settle(t, p)
			expectNothing(t, p)
		})
	}
}

func TestAClosedDescriptorIsForgottenAndItsNumberServesAgain(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	must(t, p.Update(near, 0, Readable|Writable))
	expect(t, p, near, Writable)
	send(t, far, "x") // an event that nobody will fetch in time
	must(t, unix.Close(near))
	must(t, unix.Close(far))
	expectNothing(t, p)

	again, peer := pair(t)
	if again != near {
		t.Fatalf("the number %d was not reused but %d", near, again)
	}
	must(t, p.Update(again, 0, Readable))
	expectNothing(t, p)
	send(t, peer, "y")
	expect(t, p, again, Readable)
	receive(t, again, "y")
}

func TestDeletingWhatIsNotThereIsForgiven(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	for _, from := range interests {
		must(t, p.Update(near, from, 0))
	}
	must(t, p.Update(near, 0, Writable))
	expect(t, p, near, Writable)
	must(t, p.Update(near, Readable|Writable, 0)) // half of it is not there, the other half must go
	must(t, unix.Close(far))
	expectNothing(t, p)
}

func TestAddingAClosedDescriptorFails(t *testing.T) {
	p := openPoller(t)
	near, _ := pair(t)
	must(t, unix.Close(near))
	for _, to := range interests[1:] {
		if err := p.Update(near, 0, to); !errors.Is(err, syscall.EBADF) {
			t.Errorf("to %v: %v, want EBADF", to, err)
		}
	}
}

func TestEveryReadyDescriptorIsReportedThroughFewSlots(t *testing.T) {
	p := openPoller(t)
	var want, got []int32
	for range 100 {
		near, far := pair(t)
		send(t, far, "x")
		must(t, p.Update(near, 0, Readable))
		want = append(want, int32(near))
	}
	events := make([]Event, 7)
	for until := time.Now().Add(soon); len(got) < len(want); {
		n, err := p.Wait(events, until)
		must(t, err)
		if n == 0 {
			t.Fatalf("%d of %d reported", len(got), len(want))
		}
		for _, e := range events[:n] {
			got = append(got, e.FD)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	expectNothing(t, p)
}

func TestWaitNeedsASlot(t *testing.T) {
	if _, err := openPoller(t).Wait(nil, time.Time{}); !errors.Is(err, errNoSlots) {
		t.Fatal(err)
	}
}

func TestCallsOnAClosedPollerFail(t *testing.T) {
	p := openPoller(t)
	near, _ := pair(t)
	must(t, p.Close())
	must(t, p.Close())
	_, waited := p.Wait(make([]Event, 1), time.Time{})
	for name, err := range map[string]error{"Wait": waited, "Wake": p.Wake(), "Update": p.Update(near, 0, Readable)} {
		if !errors.Is(err, ErrClosed) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
