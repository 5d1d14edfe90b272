package loadtest

import "slices"

// partMemory is the growth of memory that parts saw while all opened theirs.
type partMemory struct {
	memory *Memory // of the part that saw the server's, or else of any
	kernel *Kernel
}

func memoryOf(parts []*Report) (found partMemory) {
	standing := 0
	var kernels []*IdleReport
	for _, p := range parts {
		if p.Idle == nil {
			continue
		}
		standing += p.Idle.Standing
		m := p.Idle.Memory
		if m == nil {
			continue
		}
		if found.memory == nil || found.memory.User == nil && m.User != nil {
			found.memory = m
		}
		if m.Kernel != nil {
			kernels = append(kernels, p.Idle)
		}
	}
	// The one that looks at a machine for all parts there sees what the connections of all take.
	if len(kernels) != 1 {
		kernels, standing = ownEnds(kernels)
	}
	found.kernel = meanKernel(kernels, standing)
	return found
}

// ownEnds are the parts that saw their own machine's end of their own connections only, if there are any: on the server's
// machine there is the server's end of all the others' too.
func ownEnds(seen []*IdleReport) (own []*IdleReport, standing int) {
	both := func(i *IdleReport) bool { return i.Memory.Kernel.BothEnds }
	if own = slices.DeleteFunc(slices.Clone(seen), both); len(own) == 0 {
		own = seen
	}
	for _, i := range own {
		standing += i.Standing
	}
	return own, standing
}

// meanKernel divides what was seen by all that stand.
func meanKernel(seen []*IdleReport, standing int) *Kernel {
	if len(seen) == 0 || standing == 0 {
		return nil
	}
	mean := &Kernel{Caches: []Cache{}}
	for _, i := range seen {
		k, share := i.Memory.Kernel, float64(i.Standing)/float64(standing)
		mean.PerConnection += k.PerConnection * share
		mean.BothEnds, mean.WholeSlab = mean.BothEnds || k.BothEnds, mean.WholeSlab || k.WholeSlab
		for _, c := range k.Caches {
			c.PerConnection *= share
			at := slices.IndexFunc(mean.Caches, func(m Cache) bool { return m.Name == c.Name && m.ObjectSize == c.ObjectSize })
			if at < 0 {
				mean.Caches = append(mean.Caches, c)
				continue
			}
			mean.Caches[at].PerConnection += c.PerConnection
		}
	}
	return mean
}

// of divides the server's growth by the connections of all parts.
func (p partMemory) of(opened, standing int) *Memory {
	m := p.memory
	if m == nil || opened == 0 || standing == 0 {
		return nil
	}
	if m.User != nil {
		m.User = growth(m.User.Before, m.User.After, standing)
	}
	if m.UserOpened != nil {
		m.UserOpened = growth(m.UserOpened.Before, m.UserOpened.After, opened)
	}
	m.Kernel = p.kernel
	return m
}
