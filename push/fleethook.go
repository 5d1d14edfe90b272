package push

import (
	"slices"
	"sync"
	"time"
)

// Each channel has one owner among the servers that are up and know the others:
// it sends the channel's webhooks when it learns of a change anywhere. Until there
// is such a server, each sends what happened on it. All see all changes, so when an
// owner dies without a word the next one sends again what happened shortly before.

// elect finds out who may own channels. Under in.
func (f *fleet) elect() {
	var owners []string
	if f.owner.Load() {
		owners = append(owners, f.id)
	}
	f.mu.RLock()
	for _, p := range f.peers {
		if p.known && p.node.Owner {
			owners = append(owners, p.id)
		}
	}
	f.mu.RUnlock()
	slices.Sort(owners)
	f.owners.Store(&owners)
}

// ownerOf returns the server whose hash with the channel is the highest
// (rendezvous hashing), or "" when there is none yet.
func (f *fleet) ownerOf(a *app, channel string) (owner string) {
	best := uint64(0)
	for _, id := range *f.owners.Load() {
		if h := weigh(id, a.ID, channel); owner == "" || h > best {
			owner, best = id, h
		}
	}
	return owner
}

// weigh is FNV-1a over the texts, and the last step of MurmurHash3, because ids
// that differ in one byte must not order all channels alike.
func weigh(texts ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, text := range texts {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211 // no UTF-8 has it
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// happened has the channel's owner send a webhook. here says that it was a client
// of this server who brought it about. It is called under locks.
func (a *app) happened(e hookEvent, here bool) {
	if !a.hooks.any() {
		return
	}
	f := a.fleet
	owner := f.ownerOf(a, e.Channel)
	if owner == f.id || owner == "" && here {
		a.hooks.happened(e)
		return
	}
	a.hooks.overrule(e)
	if here || f.owner.Load() { // else it is old, and this server new
		a.witness.add(e, owner, a.fleet.memory())
	}
}

// memory is how long back a new owner sends again: until the old one's end is
// noticed, and its webhooks were delayed.
func (f *fleet) memory() time.Duration { return 4*f.lease() + f.s.opts.WebhookDelay }

// witness remembers what other owners should send.
type witness struct {
	mu   sync.Mutex
	seen []witnessed
}

type witnessed struct {
	hookEvent
	owner string
	at    time.Time
}

func (w *witness) add(e hookEvent, owner string, memory time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	old := 0
	for old < len(w.seen) && (now.Sub(w.seen[old].at) > memory || len(w.seen)-old >= hookQueue) {
		old++
	}
	clear(w.seen[:old]) // lets go of the events; moving the rest down would take long where locks are held
	w.seen = append(w.seen[old:], witnessed{e, owner, now})
}

// inherit sends what a server that is gone may not have sent, and gives the rest to
// those who now own it.
func (s *Server) inherit(gone string, unsent time.Duration) {
	if unsent <= 0 {
		return
	}
	const way = time.Second // at most, that others heard of it later than the one that is gone
	for _, a := range s.tenants().list {
		memory, now := min(s.fleet.memory(), unsent+way), time.Now()
		a.witness.mu.Lock()
		var mine []hookEvent
		for i := range a.witness.seen {
			w := &a.witness.seen[i]
			if w.owner != gone || now.Sub(w.at) > memory {
				continue
			}
			if w.owner = s.fleet.ownerOf(a, w.Channel); w.owner == s.fleet.id {
				mine = append(mine, w.hookEvent)
			}
		}
		a.witness.mu.Unlock()
		for _, e := range mine {
			a.hooks.happened(e)
		}
	}
}

// hookKey is what comes and goes.
type hookKey struct{ channel, user string }

// delayed are webhooks of what has gone, which are not sent when it comes back
// soon. The zero value has none.
type delayed struct {
	after time.Duration
	mu    sync.Mutex
	queue []*lateHook // in the order of their times
	gone  map[hookKey]*lateHook
}

type lateHook struct {
	hookEvent
	due  time.Time
	void bool
}

// happened sends e, or keeps it back for a while.
func (h *hooks) happened(e hookEvent) {
	switch {
	case h.overrule(e):
	case h.late.after > 0 && (e.Name == hookVacated || e.Name == hookRemoved):
		h.late.add(e)
	default:
		h.add(e)
	}
}

func (d *delayed) add(e hookEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone == nil {
		d.gone = map[hookKey]*lateHook{}
	}
	l := &lateHook{hookEvent: e, due: time.Now().Add(d.after)}
	d.gone[hookKey{e.Channel, e.UserID}] = l
	d.queue = append(d.queue, l)
}

// overrule withdraws the webhook that e's channel or member has gone, and reports
// whether there was one.
func (h *hooks) overrule(e hookEvent) bool {
	if e.Name != hookOccupied && e.Name != hookAdded {
		return false
	}
	d := &h.late
	d.mu.Lock()
	defer d.mu.Unlock()
	key := hookKey{e.Channel, e.UserID}
	l := d.gone[key]
	if l == nil {
		return false
	}
	l.void = true
	delete(d.gone, key)
	return true
}

// release sends what has been gone for long enough.
func (h *hooks) release(now time.Time) {
	d := &h.late
	d.mu.Lock()
	var due []hookEvent
	n := 0
	for ; n < len(d.queue) && !d.queue[n].due.After(now); n++ {
		if l := d.queue[n]; !l.void {
			delete(d.gone, hookKey{l.Channel, l.UserID})
			due = append(due, l.hookEvent)
		}
	}
	d.queue = slices.Delete(d.queue, 0, n)
	d.mu.Unlock()
	for _, e := range due {
		h.add(e)
	}
}

func (s *Server) releaseHooks(now time.Time) {
	for _, a := range s.tenants().list {
		a.hooks.release(now)
	}
}

// unsent is how long ago the first webhook was due that has not been sent, and 0
// when there is none; most, where that isn't known.
func (h *hooks) unsent(now time.Time, most time.Duration) time.Duration {
	for _, p := range h.list() {
		p.mu.Lock()
		waits := len(p.queue) + p.flying
		p.mu.Unlock()
		if waits > 0 {
			return most
		}
	}
	h.late.mu.Lock()
	defer h.late.mu.Unlock()
	for _, l := range h.late.queue {
		if !l.void {
			return min(most, now.Sub(l.due)+h.late.after)
		}
	}
	return 0
}
