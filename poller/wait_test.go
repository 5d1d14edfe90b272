//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waitInBackground starts a Wait without a limit and returns once it is under way.
func waitInBackground(t *testing.T, p *Poller) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		n, err := p.Wait(make([]Event, 4), time.Time{})
		if err == nil && n > 0 {
			err = errors.New("Wait has an event")
		}
		done <- err
	}()
	for until := time.Now().Add(soon); p.open.TryLock(); {
		p.open.Unlock()
		if time.Now().After(until) {
			t.Fatal("Wait did not begin")
		}
		runtime.Gosched()
	}
	return done
}

func returned(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(soon):
		t.Fatalf("Wait did not return within %v", soon)
		return nil
	}
}

// timed is a Wait that must have no events, and how long it took.
func timed(t *testing.T, p *Poller, until time.Time) time.Duration {
	t.Helper()
	start := time.Now()
	n, err := p.Wait(make([]Event, 4), until)
	must(t, err)
	if n != 0 {
		t.Fatalf("%d events, want none", n)
	}
	return time.Since(start)
}

func TestWakeEndsTheCurrentWait(t *testing.T) {
	p := openPoller(t)
	for range 3 {
		done := waitInBackground(t, p)
		must(t, p.Wake())
		must(t, returned(t, done))
	}
}

func TestWakesBeforeWaitEndTheNextWaitOnly(t *testing.T) {
	p := openPoller(t)
	for range 3 {
		for range 1000 {
			must(t, p.Wake())
		}
		if took := timed(t, p, time.Now().Add(soon)); took >= soon {
			t.Fatal("the wake-up was lost")
		}
		if took := timed(t, p, time.Now().Add(quiet)); took < quiet {
			t.Fatalf("a wake-up came twice: Wait returned after %v", took)
		}
	}
}

func TestAWakeDoesNotHideEvents(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	must(t, p.Update(near, 0, Readable))
	for range 20 {
		must(t, p.Wake())
		send(t, far, "x")
		expect(t, p, near, Readable)
	}
}

func TestNoWakeIsLostAmongManyWakers(t *testing.T) {
	const wakers, each = 4, 2000
	p := openPoller(t)
	var mailbox [wakers]atomic.Int64
	var wg sync.WaitGroup
	var seen [wakers]chan struct{}
	stop := make(chan struct{})
	for i := range wakers {
		seen[i] = make(chan struct{}, 1)
		wg.Go(func() {
			for range each {
				mailbox[i].Add(1)
				if err := p.Wake(); err != nil {
					t.Error(err)
				}
				select { // so that the one who waits runs dry, and blocks, now and then
				case <-seen[i]:
				case <-stop:
				}
			}
		})
	}
	events, until := make([]Event, 4), time.Now().Add(2*soon)
	for got := int64(0); got < wakers*each; {
		if _, err := p.Wait(events, until); err != nil || !time.Now().Before(until) {
			t.Errorf("%d of %d seen, %v", got, wakers*each, err)
			break
		}
		for i := range mailbox {
			if n := mailbox[i].Swap(0); n > 0 {
				got += n
				seen[i] <- struct{}{}
			}
		}
	}
	close(stop)
	wg.Wait()
}

// The race detector fails this test if Wake and Wait do not order the accesses.
func TestWhatWasDoneBeforeAWakeIsVisibleAfterWait(t *testing.T) {
	p := openPoller(t)
	var published int
	seen := make(chan struct{})
	go func() {
		for i := 1; i <= 100; i++ {
			published = i
			if err := p.Wake(); err != nil {
				t.Error(err)
			}
			<-seen
		}
	}()
	for i := 1; i <= 100; i++ {
		if took := timed(t, p, time.Now().Add(soon)); took >= soon || published != i {
			t.Fatalf("published %d after %v, want %d", published, took, i)
		}
		seen <- struct{}{}
	}
}

func TestWaitEndsAtItsDeadlineAndNotBefore(t *testing.T) {
	p := openPoller(t)
	limits := []time.Duration{quiet, 3 * quiet, time.Millisecond, 0, -time.Hour, 100 * time.Microsecond, quiet}
	for _, limit := range limits {
		if took := timed(t, p, time.Now().Add(limit)); took < limit || took > max(limit, 0)+soon {
			t.Errorf("limit %v: took %v", limit, took)
		}
	}
}

func TestAPastDeadlineStillReportsEvents(t *testing.T) {
	p := openPoller(t)
	near, far := pair(t)
	must(t, p.Update(near, 0, Readable))
	timed(t, p, time.Now().Add(-time.Second))
	send(t, far, "x")
	var n int
	for range 3 { // a signal may end one that must not block
		got, err := p.Wait(make([]Event, 4), time.Now().Add(-time.Second))
		must(t, err)
		n += got
	}
	if n != 1 {
		t.Fatalf("%d events, want 1", n)
	}
}

func TestAnEarlierDeadlineDoesNotEndALaterWait(t *testing.T) {
	p := openPoller(t)
	timed(t, p, time.Now().Add(time.Millisecond))
	done := waitInBackground(t, p) // without a limit, after one that ran out
	select {
	case err := <-done:
		t.Fatalf("Wait returned %v", err)
	case <-time.After(quiet):
	}
	must(t, p.Wake())
	must(t, returned(t, done))

	near, far := pair(t)
	must(t, p.Update(near, 0, Readable))
	send(t, far, "x")
	events := make([]Event, 4)
	if n, err := p.Wait(events, time.Now().Add(quiet)); n != 1 || err != nil { // before its deadline
		t.Fatal(n, err)
	}
	if took := timed(t, p, time.Now().Add(3*quiet)); took < 3*quiet {
		t.Fatalf("took %v", took)
	}
}

func TestSignalsDoNotEndAWait(t *testing.T) {
	p := openPoller(t)
	near, _ := pair(t)
	done := waitInBackground(t, p)
	for range 200 {
		must(t, unix.Kill(unix.Getpid(), unix.SIGURG)) // which the Go runtime handles
		must(t, p.Update(near, 0, Readable))
		must(t, p.Update(near, Readable, 0))
	}
	select {
	case err := <-done:
		t.Fatalf("Wait returned %v", err)
	case <-time.After(quiet):
	}
	must(t, p.Wake())
	must(t, returned(t, done))
}

func TestCloseEndsAWait(t *testing.T) {
	p := openPoller(t)
	done := waitInBackground(t, p)
	must(t, p.Close())
	if err := returned(t, done); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// A descriptor number given back by Close serves strangers at once; a call that still used it would hit
// them.
func TestNoCallUsesDescriptorsAfterClose(t *testing.T) {
	near, _ := pair(t)
	for range 50 {
		p := openPoller(t)
		var wg sync.WaitGroup
		until := func(call func() error) {
			wg.Go(func() {
				var err error
				for err == nil {
					err = call()
				}
				if !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
			})
		}
		events := make([]Event, 4)
		from := Ready(0)
		until(func() error { _, err := p.Wait(events, time.Time{}); return err })
		until(func() error { err := p.Update(near, from, interest-from); from = interest - from; return err })
		until(func() error {
			if err := p.Wake(); err != nil || !p.closed.Load() {
				return err
			}
			return ErrClosed // a Wake that joined one never consumed has nothing to report
		})
		runtime.Gosched()
		must(t, p.Close())
		wg.Wait()
	}
}
