package engine

import "sync/atomic"

const (
	pageBits  = 12 // 4,096 descriptors a page: 32 KiB
	pageSlots = 1 << pageBits
	maxPages  = 4096 // the directory is 32 KiB
	maxFDs    = maxPages * pageSlots
)

// table finds the connection of a descriptor. Slots are atomic because a number
// that one loop closed may at once be accepted by another, and the kernel is no
// synchronisation that Go knows of.
type table struct {
	pages [maxPages]atomic.Pointer[page]
}

type page [pageSlots]atomic.Pointer[Conn]

// get returns the connection of fd, or nil.
func (t *table) get(fd int32) *Conn {
	if p := t.pages[uint32(fd)>>pageBits%maxPages].Load(); p != nil {
		return p[fd%pageSlots].Load()
	}
	return nil
}

// put enters c, whose descriptor is below maxFDs. A page is never given up:
// descriptor numbers are dense and come back.
func (t *table) put(c *Conn) {
	slot := &t.pages[c.fd>>pageBits]
	p := slot.Load()
	if p == nil {
		slot.CompareAndSwap(nil, new(page))
		p = slot.Load()
	}
	p[c.fd%pageSlots].Store(c)
}

// drop takes c out, before its descriptor is closed (R5).
func (t *table) drop(fd int32) {
	t.pages[fd>>pageBits].Load()[fd%pageSlots].Store(nil)
}

// page returns the page at index at, or the next one that there is, and moves at
// behind it. wrapped is true of the last one.
func (t *table) page(at *int) (p *page, wrapped bool) {
	for range maxPages {
		i := *at
		if *at++; *at == maxPages {
			*at, wrapped = 0, true
		}
		if p = t.pages[i].Load(); p != nil {
			break
		}
	}
	if p == nil {
		return nil, true
	}
	for i := *at; i < maxPages && !wrapped; i++ {
		if t.pages[i].Load() != nil {
			return p, false
		}
	}
	return p, true
}

// each calls f for every connection. Those that come or go meanwhile may or may
// not be among them.
func (t *table) each(f func(*Conn)) {
	for i := range t.pages {
		p := t.pages[i].Load()
		if p == nil {
			continue
		}
		for j := range p {
			if c := p[j].Load(); c != nil {
				f(c)
			}
		}
	}
}

func newConn(l *loop, p *policy, fd int) *Conn {
	c := &Conn{loop: l, policy: p, fd: int32(fd)}
	c.seen.Store(l.e.now())
	if p.srv != nil {
		c.handler.Store(&p.srv.opts.Handler)
	}
	return c
}

// enter puts a new connection, which the engine has counted in, into the table and
// under watch. From the moment that it is watched another goroutine may run it.
func (c *Conn) enter() {
	e := c.loop.e
	if c.policy.srv != nil {
		c.policy.srv.conns.Add(1)
	}
	e.table.put(c)
	c.loop.arm(c, c.seen.Load()+c.policy.handshake)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rearm()
	if e.closing.Load() || c.policy.srv != nil && c.policy.srv.closing.Load() {
		c.kill()
	}
}
