// Package poller watches descriptors with one epoll or kqueue object and its wake-up.
//
// An event loop calls it: Update says which readiness of a descriptor matters, Wait tells which descriptors
// have some, Wake gets the loop out of Wait. On systems with neither epoll nor kqueue the package compiles
// and Open answers errors.ErrUnsupported.
//
// Everything is edge-triggered: a readiness is reported when it begins, not for as long as it lasts, so
// whoever gets an event goes on until the system call answers EAGAIN (or knows that it would). Events are
// hints. One may come twice, may name a readiness that another goroutine has used up meanwhile, or one that
// was not asked for; the system call that follows is the truth.
//
// The package never reads, writes or closes a descriptor given to it, never starts a goroutine, and knows
// nothing of connections.
package poller

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Ready is a set of readiness bits. The same type says what one is interested in; 0 is no interest.
type Ready uint8

const (
	// Readable: read, accept or recvmsg would return something, be it the end or an error.
	Readable Ready = 1 << iota
	// Writable: write would take at least a byte, or fail; a pending connect has ended.
	Writable
	// Hangup is only ever reported, whatever the interest, and always together with Readable and Writable:
	// the peer shut down its sending side or the whole connection, or the descriptor failed. Data that came
	// before may still be queued, so read to the end. (kqueue tells a descriptor watched only for Writable
	// of the whole connection's end, not of a mere shutdown of the peer's sending side, and any also of our own
	// shutdown(2).)
	Hangup
)

const (
	interest = Readable | Writable
	hungUp   = Readable | Writable | Hangup
)

// String names the bits, as in "readable|writable"; the empty set is "none".
func (r Ready) String() string {
	s := ""
	for i, name := range [...]string{"readable", "writable", "hangup"} {
		if r&(1<<i) != 0 {
			s += "|" + name
		}
	}
	if s == "" {
		return "none"
	}
	return s[1:]
}

// Event says that descriptor FD has become Ready. A descriptor may have several events in one batch.
type Event struct {
	FD    int32
	Ready Ready
}

// ErrClosed is returned by calls on a closed Poller, and by a Wait that Close cut short.
// errors.Is(ErrClosed, os.ErrClosed) holds.
var ErrClosed = fmt.Errorf("poller: closed by Close: %w", os.ErrClosed)

var errNoSlots = errors.New("poller: Wait with 0 event slots: give it at least 1")

// Poller is one epoll or kqueue object with its wake-up. Made by Open; it holds descriptors until Close.
type Poller struct {
	// open is held shared by every call that uses the descriptors and exclusively by whoever closes them.
	// Without it a late Wake would write into a stranger's descriptor that got the same number.
	open   sync.RWMutex
	closed atomic.Bool
	woken  atomic.Bool // a wake-up is on its way and Wait has not consumed it yet
	sys    selector
}

// Open makes a Poller. Errors are the system's (EMFILE: raise the limit of open files), or wrap
// errors.ErrUnsupported where there is neither epoll nor kqueue.
func Open() (*Poller, error) {
	p := new(Poller)
	if err := p.sys.open(); err != nil {
		return nil, fmt.Errorf("poller: open: %w", err)
	}
	return p, nil
}

// Update moves fd from one interest to another: from 0 adds it, to 0 deletes it. Whatever part of the new
// interest is ready at that moment is reported by Wait, also when from equals to, and when the readiness is
// an old one. Nothing is reported for a deleted descriptor, not even its hang-up, once Wait has returned
// what it holds already; deleting one that was never added is no error, nor is moving from nothing to
// nothing.
//
// Closing fd deletes it, unless it was duplicated: epoll goes on reporting until the last duplicate is
// closed.
//
// It may be called from any goroutine, also during a Wait; calls for one fd must not overlap. Errors are
// the system's (EBADF: not open; EPERM: a regular file; ENOENT: from is not 0 but fd was not added; EEXIST:
// the reverse; which of the last two are noticed depends on the system) or ErrClosed.
func (p *Poller) Update(fd int, from, to Ready) error {
	from, to = from&interest, to&interest
	if from|to == 0 {
		return nil
	}
	p.open.RLock()
	defer p.open.RUnlock()
	if p.closed.Load() {
		return ErrClosed
	}
	if err := p.sys.update(fd, from, to); err != nil {
		return fmt.Errorf("poller: fd %d, interest %v to %v: %w", fd, from, to, err)
	}
	return nil
}

// Wait fills events from the start and returns how many. It blocks until there is at least one, or a Wake,
// or until the moment given (zero: no limit); a Wake or the end of time without an event is 0, nil. What
// does not fit into events is returned by the next Wait. It blocks the goroutine; one goroutine at a time
// may call it. events is the caller's and must have at least one slot; its previous content does not
// matter.
//
// Errors are the system's, none of which is to be expected, or ErrClosed.
func (p *Poller) Wait(events []Event, until time.Time) (int, error) {
	return p.wait(events, until)
}

// now is a moment that has passed: nothing is waited for.
var now = time.Unix(1, 0)

// Poll is Wait that does not block, for a caller that has other work: 0, nil when nothing is ready.
func (p *Poller) Poll(events []Event) (int, error) { return p.wait(events, now) }

func (p *Poller) wait(events []Event, until time.Time) (int, error) {
	if len(events) == 0 {
		return 0, errNoSlots
	}
	p.open.RLock()
	defer p.open.RUnlock()
	if p.closed.Load() {
		return 0, ErrClosed
	}
	n, woken, err := p.sys.wait(events, until)
	if woken {
		// A Swap and not a Store: it must see what wakers published before they found the flag set.
		p.woken.Swap(false)
		if p.closed.Load() {
			return 0, ErrClosed
		}
	}
	return n, err
}

// Wake makes the current Wait return, or else the next one. Whatever the caller did before is visible to
// the goroutine whose Wait returns. Wakes until then are one: one flag, and one system call by the first of
// them. It may be called from any goroutine, never blocks and never loses a wake-up. After Close it returns
// ErrClosed, or nil when an earlier Wake was never consumed.
func (p *Poller) Wake() error {
	// Always the Swap, never a look first: only a full barrier keeps the caller's publishing before it.
	if p.woken.Swap(true) {
		return nil
	}
	p.open.RLock()
	defer p.open.RUnlock()
	if p.closed.Load() {
		return ErrClosed
	}
	if err := p.sys.signal(); err != nil {
		p.woken.Store(false)
		return fmt.Errorf("poller: wake: %w", err)
	}
	return nil
}

// Close ends the Poller and gives its descriptors back, after the calls under way have returned: a Wait
// that blocks returns ErrClosed. Descriptors that were added stay open; they are the caller's. It may be
// called from any goroutine, and again: then it returns nil.
func (p *Poller) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	// Only this call closes the descriptors, so it may use them without the lock; it must, as a Wait that
	// blocks holds the lock.
	signalled := p.sys.signal()
	p.open.Lock()
	defer p.open.Unlock()
	return errors.Join(signalled, p.sys.close())
}
