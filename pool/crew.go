package pool

import "sync"

// crew is the part of a queue that does not depend on what is queued: the
// places in it and the workers on it.
type crew struct {
	w     *Workers
	drain func() // a worker's shift
	trim  func() // gives back a large ring; under mu, with nothing queued

	mu   sync.Mutex
	wake sync.Cond // the warm worker waits here: as fast as a channel, and no token to keep
	// head and tail number the tasks taken and the tasks ever submitted.
	head, tail uint64
	workers    int // asked of ants and not yet gone
	warm       bool
	closed     bool

	seen sight // the monitor's
}

func (c *crew) queued() int { return int(c.tail - c.head) }

// busy counts a worker that was woken or started and has not run yet.
func (c *crew) busy() int {
	if c.warm {
		return c.workers - 1
	}
	return c.workers
}

// summons is what a submitter owes the crew once the lock is released.
type summons uint8

const (
	nobody summons = iota
	warmOne
	firstOne
	monitor
)

// summon says, under the lock, who must learn of new tasks. With a worker busy
// it is nobody: the worker comes back to the queue, and if it is blocked
// instead, that is for the monitor to see.
func (c *crew) summon() summons {
	switch {
	case c.warm:
		c.warm = false
		return warmOne
	case c.workers == 0:
		c.workers = 1
		return firstOne
	case !c.w.ticking.Load():
		return monitor
	}
	return nobody
}

func (c *crew) call(s summons) {
	switch s {
	case warmOne:
		c.wake.Signal()
	case firstOne:
		c.w.start(c)
	case monitor:
		c.w.alert()
	}
}

// rest is called under the lock by a worker that found the queue empty. It
// parks the worker as the warm one, or, if there is one or the queue is
// closed, takes it off the crew: then it must leave. Both happen in the
// critical section that saw the queue empty, so no task can slip in between.
func (c *crew) rest() (stays bool) {
	if c.warm || c.closed {
		c.workers--
		return false
	}
	c.warm = true
	c.wake.Wait()
	return true
}

// desert takes a worker off the crew that never came, or whose task ended its
// goroutine.
func (c *crew) desert() {
	c.mu.Lock()
	c.workers--
	left := c.queued()
	c.mu.Unlock()
	if left > 0 {
		c.w.alert()
	}
}

func (c *crew) close() {
	c.mu.Lock()
	c.closed = true
	woken := c.warm
	c.warm = false
	c.mu.Unlock()
	if woken {
		c.wake.Signal()
	}
}
