package loadtest

import "slices"

// sequence tells which of a subscription's events came: all below next, but for
// its gaps. So it takes 16 bytes while events come in order, however many.
type sequence struct {
	gaps *[]gap // rising; nil while there are none
	next uint32 // above the highest that came
}

// gap is the events from one to before another that have not come.
type gap struct{ from, to uint32 }

// take notes that event k came.
func (s *sequence) take(k uint32) arrival {
	switch {
	case k == s.next:
		s.next++
		return inOrder
	case k > s.next:
		if s.gaps == nil {
			s.gaps = new([]gap)
		}
		*s.gaps = append(*s.gaps, gap{s.next, k})
		s.next = k + 1
		return inOrder
	case s.fill(k):
		return reordered
	}
	return duplicate
}

// fill takes k out of the gaps, and reports whether it was in one.
func (s *sequence) fill(k uint32) bool {
	if s.gaps == nil {
		return false
	}
	all := *s.gaps
	// The first that ends above k.
	i, _ := slices.BinarySearchFunc(all, k, func(g gap, k uint32) int {
		if g.to <= k {
			return -1
		}
		return 1
	})
	if i == len(all) || k < all[i].from {
		return false
	}
	g := &all[i]
	switch {
	case g.from+1 == g.to:
		all = slices.Delete(all, i, i+1)
	case k == g.from:
		g.from++
	case k == g.to-1:
		g.to--
	default:
		rest := gap{k + 1, g.to}
		g.to = k
		all = slices.Insert(all, i+1, rest)
	}
	if *s.gaps = all; len(all) == 0 {
		s.gaps = nil
	}
	return true
}

// missing counts the events below end that have not come, but for those excused: rising
// numbers of events that may never have been published.
func (s *sequence) missing(end uint32, excused []uint32) (n uint64) {
	within := func(from, to uint32) {
		if from >= to {
			return
		}
		n += uint64(to - from)
		i, _ := slices.BinarySearch(excused, from)
		j, _ := slices.BinarySearch(excused, to)
		n -= uint64(j - i)
	}
	if s.gaps != nil {
		for _, g := range *s.gaps {
			within(g.from, min(g.to, end))
		}
	}
	within(s.next, end)
	return n
}
