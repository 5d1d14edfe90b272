package loadtest

import "github.com/roost-ws/roost/codec"

// player is a script that another can be put into, again and again, on the same
// connections.
type player struct {
	*loop
	inner script // nil before the first
}

func (p *player) message(c *conn, m codec.Message) error {
	if p.inner == nil {
		return nil
	}
	return p.inner.message(c, m)
}

func (p *player) closed(c *conn) {
	if p.inner != nil {
		p.inner.closed(c)
	}
}

func (p *player) tick() int64 {
	if p.inner == nil {
		return never
	}
	return p.inner.tick()
}

// standAt has this loop dial, or end, as many connections as make its share of n.
func (p *player) standAt(n int) {
	if p.underWay() > 0 {
		return // a handshake that outlasts its step
	}
	want := n / p.loops
	if p.index < n%p.loops {
		want++
	}
	for i := range p.conns {
		switch c := &p.conns[i]; {
		case c.state == connOpen && want == 0:
			p.abort(c)
		case c.state == connOpen:
			want--
		case c.state == connClosed && want > 0:
			p.redial(c)
			want--
		}
	}
}

// underWay is how many dials have not ended.
func (l *loop) underWay() int { return l.dialling + len(l.anew.queue) - l.anew.head }
