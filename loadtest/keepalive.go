package loadtest

import (
	"fmt"
	"time"
)

// keepalive pings a loop's connections, each once in an interval and spread over it, and ends those that
// answer nothing: a server that is stopped closes no connection, and its kernel goes on to acknowledge.
type keepalive struct {
	*loop
	every time.Duration
	next  int64 // when the next one's turn is; never before begin
	slot  int   // whose
	ping  func(*conn)
}

// begin has the first turn come an interval's share from now, if it has not come yet.
func (k *keepalive) begin() {
	if k.next == never {
		k.next = k.now + k.apart()
		k.due = min(k.due, k.next)
	}
}

// apart is how long after a connection the next one has its turn.
func (k *keepalive) apart() int64 { return max(1, int64(k.every)/int64(len(k.conns))) }

// tick pings those whose turn it is.
func (k *keepalive) tick() int64 {
	for range sendsPerTick {
		if k.now < k.next {
			return k.next
		}
		if c := &k.conns[k.slot]; c.state == connOpen {
			// It was pinged an interval ago; half of another is for turns that come late.
			if k.cameAt != nil && k.now-k.cameAt[k.slot] > int64(k.every)*3/2 {
				k.end(c, &failure{cause: causeSilent, err: fmt.Errorf("nothing came for %s, and no answer to a ping", span(time.Duration(k.now-k.cameAt[k.slot])))})
			} else {
				k.ping(c)
			}
		}
		k.slot = (k.slot + 1) % len(k.conns)
		k.next += k.apart()
	}
	return k.now
}
