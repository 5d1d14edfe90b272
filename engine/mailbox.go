package engine

import "sync"

// order is what other goroutines ask of a loop.
type order struct {
	kind orderKind
	conn *Conn
	part *part
	in   *listener
}

type orderKind uint8

const (
	orderRun      orderKind = iota + 1 // conn's held bit was won elsewhere: run it
	orderCast                          // serve part, a topic's members here
	orderListen                        // begin to accept on in
	orderUnlisten                      // in was closed: forget it
	orderStop                          // end the loop
)

// mailbox is the loop's queue of orders. Its order is kept.
type mailbox struct {
	mu     sync.Mutex
	orders []order
	spare  []order
}

// post gives the loop an order. It may be called from any goroutine, and does
// not block.
func (l *loop) post(o order) {
	l.mail.mu.Lock()
	l.mail.orders = append(l.mail.orders, o)
	first := len(l.mail.orders) == 1
	l.mail.mu.Unlock()
	if first {
		l.wake()
	}
}

// take empties the mailbox. What it returns is the loop's until its next call.
func (m *mailbox) take() []order {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.orders) == 0 {
		return nil
	}
	got := m.orders
	m.orders, m.spare = m.spare[:0], got
	return got
}

// maxSpareOrders keeps a burst's memory from staying.
const maxSpareOrders = 4096

// deliver carries out what came in.
func (l *loop) deliver() {
	orders := l.mail.take()
	for i := range orders {
		o := &orders[i]
		switch o.kind {
		case orderRun:
			l.batch = append(l.batch, o.conn)
		case orderCast:
			l.newPass(o.part)
		case orderListen:
			l.listen(o.in)
		case orderUnlisten:
			l.unlisten(o.in)
		case orderStop:
			l.stopped = true
		}
	}
	clear(orders)
	if cap(orders) > maxSpareOrders {
		l.mail.spare = nil
	}
}
