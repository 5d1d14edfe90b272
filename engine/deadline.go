package engine

import (
	"sync"
	"time"
)

// deadline is a time that may be moved while somebody waits for it.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	moves int
	over  chan struct{} // closed when it passed; another one when it is moved
}

func (d *deadline) init() { d.over = make(chan struct{}) }

// wait is closed when the deadline passed, or was moved to the past.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func (d *deadline) passed() bool {
	select {
	case <-d.wait():
		return true
	default:
		return false
	}
}

// set moves the deadline, also for who waits already; the zero time is never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moves++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	select {
	case <-d.over:
		d.over = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	moves, over := d.moves, d.over
	d.timer = time.AfterFunc(time.Until(t), func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.moves == moves {
			close(over)
		}
	})
}
