package loadtest

// agenda is what slots wait for, in the order of their times: those who add wait
// equally long.
type agenda struct {
	items []appointment
	head  int
}

type appointment struct {
	at   int64
	slot uint32
}

func (a *agenda) add(at int64, slot uint32) { a.items = append(a.items, appointment{at, slot}) }

// next is when the first is due; never without any.
func (a *agenda) next() int64 {
	if a.head == len(a.items) {
		return never
	}
	return a.items[a.head].at
}

// take removes the first that is due.
func (a *agenda) take(now int64) (slot uint32, ok bool) {
	if a.next() > now {
		return 0, false
	}
	slot = a.items[a.head].slot
	if a.head++; a.head > len(a.items)/2 {
		a.items, a.head = a.items[:copy(a.items, a.items[a.head:])], 0
	}
	return slot, true
}

// uniform is a number from 0 to below 1.
func (l *loop) uniform() float64 {
	l.mask()
	return float64(l.random>>11) / (1 << 53)
}
