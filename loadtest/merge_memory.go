package loadtest

// partMemory is the growth of memory that one part saw while all opened theirs.
type partMemory struct {
	memory   *Memory
	standing int
}

// memoryOf finds the part that saw the server's memory, or else the kernel's.
func memoryOf(parts []*Report) (found partMemory) {
	for _, p := range parts {
		if p.Idle == nil || p.Idle.Memory == nil {
			continue
		}
		if m := p.Idle.Memory; found.memory == nil || found.memory.User == nil && m.User != nil {
			found = partMemory{m, p.Idle.Standing}
		}
	}
	return found
}

// of divides the growth by the connections of all parts.
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
	if k := m.Kernel; k != nil {
		smaller := float64(p.standing) / float64(standing)
		k.PerConnection *= smaller
		for i := range k.Caches {
			k.Caches[i].PerConnection *= smaller
		}
	}
	return m
}
