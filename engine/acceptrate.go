package engine

import (
	"net/http"
	"strconv"
	"time"

	"github.com/roost-ws/roost/codec"
)

// gate lets a lasting rate of connections in, and a quarter of a second's at once:
// a token bucket as one time, at which all that were let in are paid for. It
// belongs to its listener's loop. The zero value lets everybody in.
type gate struct {
	interval, burst time.Duration
	due             time.Duration // since the engine's start
	refused         uint          // chooses the answer
}

// newGate is for one of several listeners that share a rate a second.
func newGate(rate, listeners int) gate {
	if rate == 0 {
		return gate{}
	}
	interval := time.Second * time.Duration(listeners) / time.Duration(rate)
	return gate{interval: interval, burst: max(time.Second/4-interval, 0)}
}

func (g *gate) pass(e *Engine) bool {
	if g.interval == 0 {
		return true
	}
	now := e.sys.Since(e.start)
	if g.due > now+g.burst {
		return false
	}
	g.due = max(g.due, now) + g.interval
	return true
}

// later is how many seconds those who are refused may be told to stay away: one
// each in turn, so that they don't all come back at once.
const later = 8

// tooFast are the answers to connections above the rate.
var tooFast = func() (list [later][]byte) {
	for i := range list {
		header := http.Header{"Retry-After": {strconv.Itoa(i + 1)}}
		list[i] = codec.AppendReject(nil, http.StatusServiceUnavailable, "Too many new connections", header)
	}
	return list
}()

// answer is for the next connection that is refused.
func (g *gate) answer() []byte {
	g.refused++
	return tooFast[g.refused%later]
}

// giveBack undoes a pass that nobody used.
func (g *gate) giveBack() { g.due -= g.interval }
