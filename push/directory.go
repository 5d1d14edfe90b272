package push

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"github.com/roost-ws/roost/engine"
)

// socketID is a connection's name on the wire, "slot.random". The slot finds the
// connection, 8 bytes each where a map would take 40; the random half keeps
// whoever has an old id from naming the slot's next connection.
type socketID struct{ slot, random uint32 }

func (id socketID) String() string {
	return strconv.FormatUint(uint64(id.slot), 10) + "." + strconv.FormatUint(uint64(id.random), 10)
}

func parseSocketID(s string) (id socketID, ok bool) {
	a, b, _ := strings.Cut(s, ".")
	slot, errA := strconv.ParseUint(a, 10, 32)
	random, errB := strconv.ParseUint(b, 10, 32)
	return socketID{uint32(slot), uint32(random)}, errA == nil && errB == nil
}

// directory knows every connection that has a socket id.
type directory struct {
	mask  uint32 // on slots, so that ids don't tell how many are connected
	mu    sync.RWMutex
	slots []*engine.Conn
	free  []uint32
}

func newDirectory() *directory { return &directory{mask: rand.Uint32()} }

// add gives c an id of its own.
func (d *directory) add(c *engine.Conn) socketID {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := uint32(len(d.slots))
	if n := len(d.free); n > 0 {
		i = d.free[n-1]
		d.free = d.free[:n-1]
		d.slots[i] = c
	} else {
		d.slots = append(d.slots, c)
	}
	return socketID{i ^ d.mask, rand.Uint32()}
}

// remove takes an id back that add gave.
func (d *directory) remove(id socketID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := id.slot ^ d.mask
	d.slots[i] = nil
	d.free = append(d.free, i)
}

// find returns the connection with that id, or nil when it isn't connected here.
func (d *directory) find(text string) *engine.Conn {
	if text == "" { // most events leave nobody out, and a parser's error takes memory
		return nil
	}
	id, ok := parseSocketID(text)
	if !ok {
		return nil
	}
	d.mu.RLock()
	i := id.slot ^ d.mask
	var c *engine.Conn
	if int64(i) < int64(len(d.slots)) {
		c = d.slots[i]
	}
	d.mu.RUnlock()
	if c == nil {
		return nil
	}
	if ss := sessionOf(c); ss == nil || ss.id != id {
		return nil
	}
	return c
}

// all returns the connections of this moment.
func (d *directory) all() []*engine.Conn {
	d.mu.RLock()
	defer d.mu.RUnlock()
	list := make([]*engine.Conn, 0, len(d.slots)-len(d.free))
	for _, c := range d.slots {
		if c != nil {
			list = append(list, c)
		}
	}
	return list
}

// size counts the connections.
func (d *directory) size() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.slots) - len(d.free)
}
