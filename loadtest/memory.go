package loadtest

import (
	"cmp"
	"slices"
	"strings"
)

// snapshot is memory at one moment.
type snapshot struct {
	user   int64 // the server's RSS; -1 = not known
	kernel kernelMemory
	both   bool // the server is on this machine
}

// kernelMemory is the machine's, as far as sockets take part in it.
type kernelMemory struct {
	slab    int64 // bytes of the whole slab allocator; -1 = not known
	buffers int64 // bytes of TCP's buffers
	caches  map[string]slabCache
}

type slabCache struct{ objects, size int64 }

func (d *driver) memory() snapshot {
	s := snapshot{user: d.server.rss(), kernel: kernelMemory{slab: -1}, both: d.server.local}
	if d.o.Part.watches() { // else the machine's memory is another part's to tell
		s.kernel = d.kernel.read()
	}
	return s
}

// newMemory divides growth by the connections that stood at each moment. It is
// nil when there were none.
func newMemory(before, opened, after snapshot, atOpened, standing int) *Memory {
	if atOpened == 0 || standing == 0 {
		return nil
	}
	return &Memory{
		User:       growth(before.user, after.user, standing),
		UserOpened: growth(before.user, opened.user, atOpened),
		Kernel:     newKernel(before, after, standing),
	}
}

// cacheShare is how many objects a connection a cache has to have grown by, to
// count as taking part in it.
const cacheShare = 0.3

func newKernel(before, after snapshot, standing int) *Kernel {
	from, to := &before.kernel, &after.kernel
	if from.slab < 0 || to.slab < 0 {
		return nil
	}
	k := &Kernel{BothEnds: after.both, WholeSlab: len(to.caches) == 0, Caches: []Cache{}}
	bytes := float64(to.buffers - from.buffers)
	if k.WholeSlab {
		bytes += float64(to.slab - from.slab)
	}
	for name, cache := range to.caches {
		objects := from.grown(to, name)
		if share := float64(objects) / float64(standing); share >= cacheShare {
			k.Caches = append(k.Caches, Cache{Name: name, ObjectSize: int(cache.size), PerConnection: share})
			bytes += float64(objects * cache.size)
		}
	}
	k.PerConnection = bytes / float64(standing)
	slices.SortFunc(k.Caches, func(a, b Cache) int {
		return cmp.Or(cmp.Compare(b.PerConnection*float64(b.ObjectSize), a.PerConnection*float64(a.ObjectSize)), cmp.Compare(a.Name, b.Name))
	})
	return k
}

// grown is how many objects a cache grew by, as far as sockets may be the reason:
// files that somebody read meanwhile fill caches too. A socket has one dentry and one inode,
// whatever else these caches got.
func (k *kernelMemory) grown(to *kernelMemory, name string) int64 {
	n := to.caches[name].objects - k.caches[name].objects
	switch {
	case name == "dentry", name == "lsm_inode_cache":
		return min(n, k.grown(to, socketInodes))
	case name == socketInodes:
		return n
	case strings.HasSuffix(name, "inode_cache"), strings.HasPrefix(name, "kmalloc-rcl-"),
		name == "buffer_head", name == "extent_status", name == "radix_tree_node":
		return 0
	}
	return n
}

const socketInodes = "sock_inode_cache"

func growth(before, after int64, connections int) *Growth {
	if before < 0 || after < 0 {
		return nil
	}
	return &Growth{Before: before, After: after, PerConnection: float64(after-before) / float64(connections)}
}
