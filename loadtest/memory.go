package loadtest

import (
	"cmp"
	"slices"
)

// snapshot is memory at one moment.
type snapshot struct {
	user   int64 // the server's RSS; -1 = not known
	kernel kernelMemory
	both   bool // the server is on this machine
}

// kernelMemory is the machine's, as far as sockets take part in it.
type kernelMemory struct {
	bytes  int64 // slab, and pages of TCP buffers; -1 = not known
	caches map[string]slabCache
}

type slabCache struct{ objects, size int64 }

func (d *driver) memory() snapshot {
	return snapshot{user: d.server.rss(), kernel: d.kernel.read(), both: d.server.local}
}

// cacheShare is how many objects a connection a cache has to have grown by, to be
// worth a mention.
const cacheShare = 0.3

// newMemory divides growth by the connections that stood at each moment. It is
// nil when there were none.
func newMemory(before, opened, after snapshot, atOpened, standing int) *Memory {
	if atOpened == 0 || standing == 0 {
		return nil
	}
	m := &Memory{
		User:       growth(before.user, after.user, standing),
		UserOpened: growth(before.user, opened.user, atOpened),
		Kernel:     growth(before.kernel.bytes, after.kernel.bytes, standing),
		BothEnds:   after.both,
	}
	for name, a := range after.kernel.caches {
		n := float64(a.objects-before.kernel.caches[name].objects) / float64(standing)
		if n >= cacheShare {
			m.Caches = append(m.Caches, Cache{Name: name, ObjectSize: int(a.size), PerConnection: n})
		}
	}
	slices.SortFunc(m.Caches, func(a, b Cache) int {
		return cmp.Or(cmp.Compare(b.PerConnection*float64(b.ObjectSize), a.PerConnection*float64(a.ObjectSize)), cmp.Compare(a.Name, b.Name))
	})
	return m
}

func growth(before, after int64, connections int) *Growth {
	if before < 0 || after < 0 {
		return nil
	}
	return &Growth{Before: before, After: after, PerConnection: float64(after-before) / float64(connections)}
}
