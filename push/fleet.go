package push

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// The beat of a fleet.
const (
	fleetGather = 5 * time.Millisecond   // in which members and users are gathered
	fleetTick   = 250 * time.Millisecond // in which counts are gathered; the rest in ticks:
	beatTicks   = 4                      // between two beats
	leaseTicks  = 20                     // without a beat, after which a server counts as gone
	deafTicks   = 6                      // without an own beat, after which nobody can be heard
	askTicks    = 8                      // without a piece of an answer, before asking again
	maxPeers    = 1000
	maxDeferred = 4096 // changes of one server kept while all of it is awaited
)

// fleet is what this server tells the others on its bus and knows of them: who
// subscribes, who is in presence channels, who is signed in. Every server tells
// its own changes, numbered; one that misses a number asks for all. What is known
// is kept by server, so that one that ends takes what is its own with it.
//
// Its locks: in is the outermost of all, held while a note is taken or servers are
// given up. out and mu are leaves.
type fleet struct {
	s     *Server
	start time.Time
	tick  time.Duration
	addr  atomic.Pointer[string]
	seq   uint64 // of the last change told; the teller's
	rates rates  // the teller's
	wake  chan struct{}
	quit  chan struct{}
	done  chan struct{}
	leave func() // the bus
	once  sync.Once

	// id never changes. owner is set once this server may send webhooks on behalf of
	// the fleet, and owners is who may.
	id     string
	owner  atomic.Bool
	owners atomic.Pointer[[]string]
	peered atomic.Bool // there are others
	missed atomic.Bool // something was not noted, as there were none

	in      sync.Mutex // a peer's sync, members and users are under it
	swept   time.Time
	heard   time.Time // of an own note, which the bus brings back
	refused time.Time // a note that could not be read was last logged

	mu    sync.RWMutex // the map, and a peer's node, seen and counts
	peers map[string]*peer

	selfSeen Node // as of the last beat; under mu

	out  sync.Mutex
	todo todo
}

func newFleet(s *Server) *fleet {
	f := &fleet{
		s: s, id: randomHex(8), start: time.Now(), tick: s.opts.fleetTick, swept: time.Now(), heard: time.Now(), peers: map[string]*peer{},
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	f.todo.clear()
	f.owners.Store(&[]string{})
	return f
}

// join begins to listen and to tell.
func (f *fleet) join() (err error) {
	if f.leave, err = f.s.opts.Bus.Listen(f.id, f.take); err != nil {
		return fmt.Errorf("push: join the fleet: %w", err)
	}
	go f.run()
	return nil
}

// run tells what has changed until close.
func (f *fleet) run() {
	defer close(f.done)
	tick := time.NewTicker(f.tick)
	defer tick.Stop()
	var gathered <-chan time.Time
	f.beat()
	for ticks := 0; ; {
		select {
		case <-f.quit:
			return
		case <-f.wake:
			if gathered == nil {
				gathered = time.After(fleetGather)
			}
		case <-gathered:
			gathered = nil
			f.tellChanges(false)
			f.answer()
		case now := <-tick.C:
			ticks++
			f.onTick(now, ticks)
		}
	}
}

func (f *fleet) onTick(now time.Time, ticks int) {
	f.tellChanges(true)
	f.s.releaseHooks(now)
	f.s.showCounts(ticks%countTicks == 0)
	if ticks%beatTicks == 0 {
		f.sweep(now)
		f.beat()
	}
}

// close tells the others that this server has ended.
func (f *fleet) close() {
	f.once.Do(f.end)
}

func (f *fleet) end() {
	close(f.quit)
	<-f.done
	var unsent time.Duration
	for _, a := range f.s.tenants().list {
		unsent = max(unsent, a.hooks.unsent(time.Now(), f.memory()))
	}
	f.tell("", &note{Bye: true, Unsent: unsent.Milliseconds()})
	f.leave()
}

func (f *fleet) lease() time.Duration { return leaseTicks * f.tick }

// tell is at most once: whoever misses it sees so by the numbers.
func (f *fleet) tell(node string, n *note) {
	n.From = f.id
	text, err := encodeNote(n)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err = f.s.opts.Bus.Tell(ctx, node, text)
	}
	if err != nil {
		f.s.counts.untold.Add(1)
		f.s.opts.Logger.Debug("the other servers could not be told", "err", err)
	}
}

func (f *fleet) beat() {
	self := f.self(time.Now())
	f.tell("", &note{Seq: f.seq, Beat: &self})
}

// sweep gives up servers whose lease has ended, and asks again where no answer
// came. A server that was held up itself, or cut off, presumes nobody dead; and a bus
// that stands still says that it is ready for longer than a lease.
func (f *fleet) sweep(now time.Time) {
	f.in.Lock()
	defer f.in.Unlock()
	late := now.Sub(f.swept) > f.lease()/2 || now.Sub(f.heard) > deafTicks*f.tick || f.s.opts.Bus.Ready() != nil
	f.swept = now
	synced := true
	for _, p := range f.list() {
		switch {
		case late:
			f.seen(p, now)
		case now.Sub(p.seen) > f.lease():
			f.s.opts.Logger.Warn("a server of the fleet is gone", "node", p.id, "addr", p.node.Addr, "silent", now.Sub(p.seen))
			f.drop(p, f.memory())
			continue
		}
		if p.sync != nil && now.Sub(p.sync.asked) > askTicks*f.tick {
			f.ask(p)
		}
		synced = synced && p.known
	}
	if synced && !f.owner.Load() && now.Sub(f.start) > f.lease() {
		f.owner.Store(true)
		f.elect()
	}
}

// list returns the others. Under in, which keeps them from changing.
func (f *fleet) list() []*peer {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := make([]*peer, 0, len(f.peers))
	for _, p := range f.peers {
		list = append(list, p)
	}
	return list
}

func (f *fleet) seen(p *peer, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.seen = now
}
