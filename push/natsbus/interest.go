package natsbus

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// interest is which slots a server listens to.
type interest struct {
	mu        sync.Mutex
	slots     [slots]slot
	held      int     // slots with channels
	all       *wanted // instead of single ones
	narrowing bool    // all is on its way out
}

// slot is one of interest's.
type slot struct {
	channels atomic.Int32 // with subscribers here; written under interest.mu
	on       *wanted
}

// wanted is a subscription, and when it is known to hold.
type wanted struct {
	sub   *nats.Subscription
	heard chan struct{} // closed then
}

// Above widen slots a server listens to all of them, until it has channels in
// fewer than narrow. The gap keeps it from going to and fro.
const (
	widen  = slots / 2
	narrow = slots / 4
)

// overlap is how long what was listened to before is listened to beside what replaces it.
// A NATS server finds out who is to get an event and then sends it, for each publisher
// in a goroutine of its own. One that found the old subscription and then waited for a
// processor would send to nobody, if that had ended meanwhile.
const overlap = 2 * time.Second

// join adds a channel to a slot. heard is as of push.Bus.Join.
func (p *plain) join(n int) (heard <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.slots[n]
	if s.channels.Add(1) == 1 {
		p.held++
	}
	if p.all == nil && p.held > widen {
		all := p.subscribe(p.prefix + ".p.*")
		p.all = all
		p.wg.Go(func() { p.replaceSlots(all) })
	}
	if p.all != nil {
		return p.all.pending()
	}
	if s.on == nil {
		s.on = p.subscribe(p.subject(n))
	}
	return s.on.pending()
}

// leave takes a channel out of a slot.
func (p *plain) leave(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.slots[n]
	if s.channels.Add(-1) > 0 {
		return
	}
	p.held--
	s.drop()
	if p.all != nil && !p.narrowing && p.held < narrow {
		p.narrowing = true
		p.wg.Go(p.replaceAll)
	}
}

// subscribe begins to listen to a subject. Under mu.
func (p *plain) subscribe(subject string) *wanted {
	w := &wanted{heard: make(chan struct{})}
	var err error
	if w.sub, err = p.nc.ChanSubscribe(subject, p.queue); err != nil {
		p.log.Error("NATS subscription failed", "subject", subject, "err", err) // the connection is closed: so is the bus
	}
	if err != nil || !p.nc.IsConnected() { // NATS is told when it is back
		close(w.heard)
		return w
	}
	p.wg.Go(func() {
		defer close(w.heard)
		if err := p.nc.FlushTimeout(answerTime); err != nil {
			p.log.Warn("NATS has not confirmed a subscription", "subject", subject, "err", err)
		}
	})
	return w
}

// replaceSlots ends the subscriptions to single slots once that to all of them
// has held for a while.
func (p *plain) replaceSlots(all *wanted) {
	<-all.heard
	p.rest()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all != all || p.narrowing {
		return
	}
	for i := range p.slots {
		p.slots[i].drop()
	}
}

// replaceAll is the way back. Slots that are joined meanwhile are caught up with
// before it ends.
func (p *plain) replaceAll() {
	for {
		p.mu.Lock()
		var last *wanted
		for i := range p.slots {
			if s := &p.slots[i]; s.on == nil && s.channels.Load() > 0 {
				s.on = p.subscribe(p.subject(i))
				last = s.on
			}
		}
		if last == nil {
			p.all.end()
			p.all, p.narrowing = nil, false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		<-last.heard // and with it those before: they went the same way
		p.rest()
	}
}

// rest waits for the overlap, or for the end of the bus.
func (p *plain) rest() {
	select {
	case <-p.quit:
	case <-time.After(p.overlap):
	}
}

func (s *slot) drop() {
	if s.on != nil {
		s.on.end()
		s.on = nil
	}
}

func (w *wanted) end() {
	if w.sub != nil {
		// It fails when the connection is closed, and then nothing comes any more.
		_ = w.sub.Unsubscribe()
	}
}

// pending is nil when there is nothing to wait for.
func (w *wanted) pending() <-chan struct{} {
	select {
	case <-w.heard:
		return nil
	default:
		return w.heard
	}
}
