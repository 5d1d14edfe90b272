package push

// todo is what the teller has yet to tell. It holds names only: values are read
// when they are told, so however much happens to one name is told once.
type todo struct {
	counts  map[chanKey]struct{} // told each tick
	members map[memberKey]struct{}
	users   map[userKey]struct{}
	shown   map[chanKey]struct{} // channels whose subscribers are told their number
	asks    map[string]struct{}  // servers that want all
}

type chanKey struct {
	app  *app
	name string
}

type memberKey struct {
	chanKey
	user string
}

type userKey struct {
	app  *app
	user string
}

func (t *todo) clear() {
	*t = todo{map[chanKey]struct{}{}, map[memberKey]struct{}{}, map[userKey]struct{}{}, map[chanKey]struct{}{}, map[string]struct{}{}}
}

// What follows is called where things happen, under other locks.

func (f *fleet) countChanged(a *app, channel string) {
	if !f.peered.Load() && !a.now().SubscriptionCounts {
		f.missed.Store(true)
		return
	}
	key := chanKey{a, channel}
	f.out.Lock()
	defer f.out.Unlock()
	f.todo.counts[key] = struct{}{}
	if a.now().SubscriptionCounts {
		f.todo.shown[key] = struct{}{}
	}
}

func (f *fleet) memberChanged(a *app, channel, user string) {
	f.later(func(t *todo) { t.members[memberKey{chanKey{a, channel}, user}] = struct{}{} })
}

func (f *fleet) userChanged(a *app, user string) {
	f.later(func(t *todo) { t.users[userKey{a, user}] = struct{}{} })
}

func (f *fleet) later(note func(*todo)) {
	f.out.Lock()
	note(&f.todo)
	f.out.Unlock()
	select {
	case f.wake <- struct{}{}:
	default: // it is awake
	}
}

// tellChanges tells what has come and gone, and counts too when it is time for
// them. With nobody to tell only the number goes up: whoever comes asks for all.
func (f *fleet) tellChanges(counts bool) {
	f.out.Lock()
	members, users, counted := taken(&f.todo.members), taken(&f.todo.users), map[chanKey]struct{}{}
	if counts {
		counted = taken(&f.todo.counts)
	}
	f.out.Unlock()
	if f.missed.Swap(false) {
		f.seq++
	}
	if len(members)+len(users)+len(counted) == 0 {
		return
	}
	if !f.peered.Load() {
		f.seq++
		return
	}
	f.tellOf(members, users, counted)
}

// taken returns what is in a set and leaves another.
func taken[K comparable](set *map[K]struct{}) map[K]struct{} {
	was := *set
	*set = map[K]struct{}{}
	return was
}

func (f *fleet) tellOf(members map[memberKey]struct{}, users map[userKey]struct{}, counts map[chanKey]struct{}) {
	serves := f.s.tenants()
	for k := range members {
		counts[k.chanKey] = struct{}{} // a channel is occupied before it has members
	}
	c := cutter{emit: func(has changes, _ bool) {
		f.seq++
		f.tell("", &note{Seq: f.seq, Change: &has})
	}}
	for k := range members {
		if serves.byID[k.app.ID] != k.app {
			continue // it is gone, and another may have its id
		}
		m := k.app.presences.find(k.name)
		var own *claim
		if m != nil {
			own = m.own(k.user)
		}
		c.member(k.app.ID, k.name, k.user, own)
	}
	for k := range users {
		if serves.byID[k.app.ID] == k.app {
			c.user(k.app.ID, k.user, k.app.users.here(k.user))
		}
	}
	for k := range counts {
		if serves.byID[k.app.ID] == k.app {
			c.count(k.app.ID, k.name, k.app.hub.subscribers(k.name))
		}
	}
	c.flush(true)
}

// answer tells all to those who have asked.
func (f *fleet) answer() {
	f.out.Lock()
	asks := taken(&f.todo.asks)
	f.out.Unlock()
	for node := range asks {
		index := 0
		c := cutter{emit: func(has changes, last bool) {
			f.tell(node, &note{Seq: f.seq, All: &part{index, last, has}})
			index++
		}}
		for _, a := range f.s.tenants().list {
			a.tellAll(&c)
		}
		c.flush(true)
	}
}

func (a *app) tellAll(c *cutter) {
	type entry struct {
		name string
		n    int
	}
	var counts []entry // gathered first: each must not call the hub, nor wait
	a.hub.each("", func(ch *channel, n int) { counts = append(counts, entry{ch.name, n}) })
	for _, e := range counts {
		c.count(a.ID, e.name, e.n)
	}
	for name, claims := range a.presences.here() {
		for id, own := range claims {
			c.member(a.ID, name, id, own)
		}
	}
	for _, id := range a.users.allHere() {
		c.user(a.ID, id, true)
	}
}

// cutter gathers changes and emits them in pieces of about maxPart.
type cutter struct {
	emit func(has changes, last bool)
	has  changes
	size int
}

func (c *cutter) room(bytes int) {
	if c.size += bytes; c.size > maxPart && c.size > bytes {
		c.flush(false)
		c.size = bytes
	}
	if c.has == nil {
		c.has = changes{}
	}
}

func (c *cutter) flush(last bool) {
	if c.has == nil {
		if !last {
			return
		}
		c.has = changes{}
	}
	c.emit(c.has, last)
	c.has, c.size = nil, 0
}

const entrySize = 64 // bytes of JSON around names, about

func (c *cutter) count(app, channel string, n int) {
	c.room(len(channel) + entrySize)
	c.has.app(app).Counts[channel] = n
}

func (c *cutter) user(app, id string, in bool) {
	c.room(6*len(id) + entrySize)
	c.has.app(app).Users[id] = in
}

func (c *cutter) member(app, channel, id string, own *claim) {
	size := len(channel) + 6*len(id) + 2*entrySize
	if own != nil {
		if len(own.Info) > maxInfoTold {
			own = &claim{Since: own.Since}
		}
		size += len(own.Info)
	}
	c.room(size)
	c.has.app(app).member(channel, id, own)
}
